//! The `launcher` function: starts the task that a row wants.

use std::sync::Arc;

use lambda_runtime::Error;
use modbox_aws::{Connection, bus::Bus, queue::DeadLetters, table::Table, tasks::Tasks};
use modbox_control::{Control, Launcher, SystemClock, SystemIds, settings::Environment};
use serde_json::Value;

/// Builds the function from its environment.
pub async fn from_env() -> Result<Launcher, Error> {
    let variable = |name: &str| std::env::var(name).ok();
    let env = Environment(&variable);
    let connection = Connection::from_env()?;
    let table = Table::new(&connection, &env.table()?, env.retention()?);
    table.warm().await;
    let control = Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds));
    let tasks = Tasks::new(&connection, env.tasks()?);
    let dead_letters = DeadLetters::new(&connection, env.dead_letter_queue()?);
    let bus = Bus::new(&connection, env.event_bus()?, dead_letters.clone());
    Ok(Launcher::new(control, tasks, bus, dead_letters, env.keys()?))
}

/// Handles a batch of the table's stream. Answers which records are to be delivered again.
pub async fn handler(launcher: &Launcher, event: Value) -> Result<Value, Error> {
    Ok(launcher.handle(&event).await)
}
