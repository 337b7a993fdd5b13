//! The `reaper` function: stops what is over, and on the schedule finds what nobody spoke of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use lambda_runtime::Error;
use modbox_aws::{Connection, bus::Bus, queue::DeadLetters, table::Table, tasks::Tasks};
use modbox_control::{Control, Reaper, SystemClock, SystemIds, settings::Environment};
use serde_json::{Value, json};

/// Comparing every task with its row costs calls for each task, so not every tick does it.
const ORPHANS_EVERY: Duration = Duration::from_secs(5 * 60);

/// What an invocation needs.
#[derive(Clone, Debug)]
pub struct App {
    reaper: Reaper,
    orphans_at: Arc<AtomicI64>,
}

impl App {
    pub fn new(reaper: Reaper) -> Self {
        Self { reaper, orphans_at: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// Builds the function from its environment.
    pub async fn from_env() -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let env = Environment(&variable);
        let connection = Connection::from_env()?;
        let table = Table::new(&connection, &env.table()?, env.retention()?);
        table.warm().await;
        let control = Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds));
        let tasks = Tasks::new(&connection, env.tasks()?);
        let dead_letters = DeadLetters::new(&connection, env.dead_letter_queue()?);
        let bus = Bus::new(&connection, env.event_bus()?, dead_letters.clone());
        Ok(Self::new(Reaper::new(control, tasks, bus, dead_letters)))
    }
}

/// Handles a batch of the table's stream, or a tick of the schedule.
pub async fn handler(app: &App, event: Value) -> Result<Value, Error> {
    if event.get("Records").is_some() { Ok(app.reaper.handle(&event).await) } else { tick(app).await }
}

/// What is due first; the orphans also if something of that failed.
async fn tick(app: &App) -> Result<Value, Error> {
    let due = app.reaper.sweep().await;
    let now = app.reaper.now();
    let mut orphans = 0;
    if app.orphans_at.load(Ordering::Relaxed) <= now.millis() {
        orphans = app.reaper.stop_orphans().await?;
        app.orphans_at.store((now + ORPHANS_EVERY).millis(), Ordering::Relaxed);
    }
    Ok(json!({"due": due?, "orphans": orphans}))
}
