//! Reap: StopTask for what is over, whoever ended it; and the bus, for what runs and what ended.

use std::sync::Arc;

use modbox_aws::{
    bus::{Bus, Moment},
    inbound::Record,
    queue::DeadLetters,
    table::{Committed, Row},
    tasks::{StopAnswer, Tasks},
};
use modbox_sandbox::{EndReason, Event, Sandbox, TaskArn, Timestamp, Wants, apply, contract};
use serde_json::Value;

use crate::{Control, Error, batch::batch};

/// What the `reaper` function does: it stops, expires, touches and tells; it starts nothing.
#[derive(Clone, Debug)]
pub struct Reaper {
    pub(crate) control: Control,
    pub(crate) tasks: Tasks,
    bus: Bus,
    pub(crate) dead_letters: DeadLetters,
}

/// What ECS is told of why a task is stopped, and what keeps it from giving a killed one any time.
pub(crate) fn stop_reason(sandbox: &Sandbox, now: Timestamp) -> String {
    let id = sandbox.id;
    match sandbox.end(now).map(|end| end.reason) {
        Some(reason @ EndReason::Killed) => format!("{}sandbox {id}: {reason}", contract::NO_GRACE),
        Some(reason) => format!("modbox: sandbox {id}: {reason}"),
        None => format!("modbox: sandbox {id}: ended"),
    }
}

impl Reaper {
    pub fn new(control: Control, tasks: Tasks, bus: Bus, dead_letters: DeadLetters) -> Self {
        Self { control, tasks, bus, dead_letters }
    }

    /// Handles a batch of the table's stream, and answers which records are to be delivered again.
    pub async fn handle(&self, event: &Value) -> Value {
        let reap = async |record: Arc<Record>| self.reap(&record).await;
        batch(&self.dead_letters, "reaper", event, reap).await
    }

    /// The time by which it decides.
    pub fn now(&self) -> Timestamp {
        self.control.now()
    }

    /// Does what the record asks for as of now; a redelivery finds what was done, but for the bus, which is told at least
    /// once.
    pub async fn reap(&self, record: &Record) -> Result<(), Error> {
        // As it was then, since the row may be further by now, or gone.
        if let Some(began) = record.began_row() {
            return Ok(self.bus.publish(&began?.sandbox, &Moment::Running).await?);
        }
        if let Some(removed) = record.removed_row() {
            return self.bury(&removed?, record.by_ttl).await;
        }
        let Some(id) = record.id else { return Ok(()) };
        let row = match self.control.load(id).await {
            Err(Error::NotFound) => return Ok(()),
            row => row?,
        };
        self.stop_if_wanted(row.clone()).await?;
        if record.ended {
            self.publish_end(&row).await?;
        }
        Ok(())
    }

    async fn publish_end(&self, row: &Row) -> Result<(), Error> {
        let Some(end) = row.sandbox.end(self.control.now()) else {
            return Ok(());
        };
        let moment = Moment::Ended { reason: end.reason, at: end.at };
        Ok(self.bus.publish(&row.sandbox, &moment).await?)
    }

    async fn stop_if_wanted(&self, row: Row) -> Result<(), Error> {
        let (Some(Wants::Stop), Some(task)) = (row.sandbox.wants(), row.sandbox.task()) else {
            return Ok(());
        };
        let arn = task.arn.clone();
        let event = match self.stop(&row, &arn).await? {
            StopAnswer::Accepted => Event::StopSent { arn },
            // Not known yet, or not any more: DescribeTasks tells, and what it tells is an observation.
            StopAnswer::Unknown => return self.consult(row, arn).await,
        };
        self.fold(row, &event).await
    }

    async fn stop(&self, row: &Row, arn: &TaskArn) -> Result<StopAnswer, Error> {
        let reason = stop_reason(&row.sandbox, self.control.now());
        tracing::info!(sandbox.id = %row.sandbox.id, sandbox.name = %row.sandbox.name, task.arn = %arn, "task is stopped");
        Ok(self.tasks.stop(arn, &reason).await?)
    }

    async fn consult(&self, row: Row, arn: TaskArn) -> Result<(), Error> {
        let described = self.tasks.describe(std::slice::from_ref(&arn)).await?;
        let event = match described.sightings.into_iter().next() {
            Some(sighting) => Event::TaskSeen(sighting.seen),
            None => Event::TaskMissing { arn },
        };
        self.fold(row, &event).await
    }

    /// Folds an observation in; a row that is gone meanwhile has nothing to learn.
    pub(crate) async fn fold(&self, row: Row, event: &Event) -> Result<(), Error> {
        match self.control.change(row, event).await {
            Ok(_) | Err(Error::NotFound | Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Layer 3: a live row was removed. Its task is stopped and the row written back as ended, if nothing stands there.
    async fn bury(&self, removed: &Row, by_ttl: bool) -> Result<(), Error> {
        let sandbox = &removed.sandbox;
        tracing::error!(sandbox.id = %sandbox.id, by_ttl, "a live row was removed; layers 1 and 2 of expiry failed");
        let ended = apply(sandbox, Event::RowRemoved, self.control.now())?.sandbox;
        let write = self.control.write_id();
        let bury = || self.control.table.bury(removed, ended.clone(), &write);
        let buried = self.control.unless_in_conflict(bury).await?;
        // Whatever the table holds by now, this task is not to run.
        if let Some(task) = sandbox.task() {
            self.tasks.stop(&task.arn, "modbox: the sandbox's row was removed").await?;
        }
        // A row that stands there already was written back by an earlier delivery of this record.
        let (Committed::Done(row) | Committed::Stale(Some(row))) = buried else { return Ok(()) };
        self.publish_end(&row).await
    }
}
