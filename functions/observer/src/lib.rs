//! The `observer` function: folds what ECS saw into an existing row.

use std::sync::Arc;

use lambda_runtime::Error;
use modbox_aws::{Connection, bus::Bus, inbound::task_state_change, queue::DeadLetters, table::Table};
use modbox_control::{Control, Observer, SystemClock, SystemIds, settings::Environment};
use serde_json::{Value, json};

/// What an invocation needs.
#[derive(Clone, Debug)]
pub struct App {
    pub observer: Observer,
}

impl App {
    /// Builds the function from its environment.
    pub async fn from_env() -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let env = Environment(&variable);
        let connection = Connection::from_env()?;
        let table = Table::new(&connection, &env.table()?, env.retention()?);
        table.warm().await;
        let control = Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds));
        let dead_letters = DeadLetters::new(&connection, env.dead_letter_queue()?);
        let bus = Bus::new(&connection, env.event_bus()?, dead_letters);
        Ok(Self { observer: Observer::new(control, bus, env.stack()?) })
    }
}

/// Handles one ECS Task State Change. An error has EventBridge deliver it again.
pub async fn handler(app: &App, event: Value) -> Result<Value, Error> {
    match task_state_change(&event) {
        Some(observed) => app.observer.observe(&observed).await?,
        None => tracing::warn!("an event that is no task state change was ignored"),
    }
    Ok(json!({}))
}
