//! The `reaper` function: stops what is over, tells what runs and what ended, and on the schedule finds what nobody spoke of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use lambda_runtime::Error;
use modbox_aws::Connection;
use modbox_control::{
    Reaper,
    settings::{Environment, InvalidSetting},
};
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
        Ok(Self::set_up(&Environment::of_process(), &Connection::from_env()?).await?)
    }

    /// Builds it of these settings.
    pub async fn set_up(env: &Environment<'_>, aws: &Connection) -> Result<Self, InvalidSetting> {
        let (tasks, bus, dead_letters) = (env.tasks(aws)?, env.bus(aws)?, env.dead_letters(aws)?);
        Ok(Self::new(Reaper::new(env.control(aws).await?, tasks, bus, dead_letters)))
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
