//! The `reaper` function: stops what is over, and on the schedule finds what nobody spoke of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use lambda_runtime::Error;
use modbox_aws::{
    Connection,
    bus::Bus,
    inbound::Record,
    queue::{DeadLetter, DeadLetters},
    table::Table,
    tasks::Tasks,
};
use modbox_control::{Control, Reaper, Swept, SystemClock, SystemIds, batch, settings::Environment};
use serde_json::{Value, json};

/// Comparing every task with its row costs calls for each task, so not every tick does it.
const ORPHANS_EVERY: Duration = Duration::from_secs(5 * 60);

/// What an invocation needs.
#[derive(Clone, Debug)]
pub struct App {
    pub reaper: Reaper,
    pub dead_letters: DeadLetters,
    orphans_at: Arc<AtomicI64>,
}

impl App {
    pub fn new(reaper: Reaper, dead_letters: DeadLetters) -> Self {
        Self { reaper, dead_letters, orphans_at: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// Builds the function from its environment.
    pub async fn from_env() -> Result<Self, Error> {
        let variable = |name: &str| std::env::var(name).ok();
        let env = Environment(&variable);
        let connection = Connection::from_env()?;
        let table = Table::new(&connection, &env.table()?, env.retention()?);
        table.warm().await;
        let control = Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds));
        let (tasks, bus) = (Tasks::new(&connection, env.tasks()?), Bus::new(&connection, env.event_bus()?));
        let dead_letters = DeadLetters::new(&connection, env.dead_letter_queue()?);
        Ok(Self::new(Reaper::new(control, tasks, bus), dead_letters))
    }

    /// Whether it is time to look for orphans; asking takes the turn.
    fn orphans_are_due(&self) -> bool {
        let now = self.reaper.now().millis();
        let due = self.orphans_at.load(Ordering::Relaxed) <= now;
        if due {
            self.orphans_at.store(now + ORPHANS_EVERY.as_millis() as i64, Ordering::Relaxed);
        }
        due
    }
}

/// Handles a batch of the table's stream, or a tick of the schedule.
pub async fn handler(app: &App, event: Value) -> Result<Value, Error> {
    if event.get("Records").is_none() {
        return tick(app).await;
    }
    let reap = async |record: Arc<Record>| app.reaper.reap(&record).await;
    Ok(batch(&app.dead_letters, "reaper", &event, reap).await)
}

async fn tick(app: &App) -> Result<Value, Error> {
    let Swept { due, damaged } = app.reaper.sweep().await?;
    for (id, error) in &damaged {
        let key = format!("SANDBOX#{id}");
        let letter = DeadLetter { function: "reaper", key, sequence_number: None, reason: error.to_string() };
        app.dead_letters.send(&letter).await?;
        app.reaper.set_aside(*id).await?;
    }
    let orphans = if app.orphans_are_due() { app.reaper.stop_orphans().await? } else { 0 };
    Ok(json!({"due": due, "damaged": damaged.len(), "orphans": orphans}))
}
