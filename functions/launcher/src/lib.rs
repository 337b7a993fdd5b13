//! The `launcher` function: starts the task that a row wants.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use lambda_runtime::Error;
use modbox_aws::{
    Connection,
    bus::Bus,
    inbound::{Record, batch_answer, records},
    queue::DeadLetters,
    table::Table,
    tasks::Tasks,
};
use modbox_control::{Control, Launcher, SystemClock, SystemIds, settings::Environment};
use serde_json::Value;

/// RunTask allows 20 calls a second for the whole account, so a batch does not hurry.
const AT_ONCE: usize = 10;

/// What an invocation needs.
#[derive(Clone, Debug)]
pub struct App {
    pub launcher: Launcher,
    pub dead_letters: DeadLetters,
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
        let (tasks, bus) = (Tasks::new(&connection, env.tasks()?), Bus::new(&connection, env.event_bus()?));
        let launcher = Launcher::new(control, tasks, bus, env.keys()?);
        Ok(Self { launcher, dead_letters: DeadLetters::new(&connection, env.dead_letter_queue()?) })
    }
}

/// Handles a batch of the table's stream. Answers which records are to be delivered again.
pub async fn handler(app: &App, event: Value) -> Result<Value, Error> {
    let records = records(&event);
    let outcomes =
        stream::iter(&records).map(|record| handle(app, record)).buffered(AT_ONCE).collect::<Vec<_>>();
    let outcomes = outcomes.await;
    Ok(batch_answer(outcomes.into_iter().flatten()))
}

/// The record's sequence number, if it is to be delivered again.
async fn handle<'a>(app: &App, record: &'a Record) -> Option<&'a str> {
    let error = app.launcher.launch(record).await.err()?;
    app.dead_letters.settle("launcher", record, error.retryable(), &error).await
}
