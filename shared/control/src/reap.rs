//! Reap: StopTask for what is over, whoever ended it.

use modbox_aws::{
    bus::{Bus, Moment},
    inbound::Record,
    table::{Committed, Row},
    tasks::{StopAnswer, Tasks},
};
use modbox_sandbox::{Event, TaskArn, Timestamp, Wants, apply};

use crate::{Control, Error};

/// What the `reaper` function does: it stops, expires and touches; it starts nothing.
#[derive(Clone, Debug)]
pub struct Reaper {
    pub(crate) control: Control,
    pub(crate) tasks: Tasks,
    bus: Bus,
}

impl Reaper {
    pub fn new(control: Control, tasks: Tasks, bus: Bus) -> Self {
        Self { control, tasks, bus }
    }

    /// The time by which it decides.
    pub fn now(&self) -> Timestamp {
        self.control.now()
    }

    /// Does what the record asks for as of now. Idempotent: a redelivery finds what was done.
    pub async fn reap(&self, record: &Record) -> Result<(), Error> {
        if let Some(removed) = record.removed_row() {
            return self.bury(&removed?, record.by_ttl).await;
        }
        let Some(id) = record.id else { return Ok(()) };
        let row = match self.control.load(id).await {
            Err(Error::NotFound) => return Ok(()),
            row => row?,
        };
        let stopped = self.stop_if_wanted(row.clone()).await;
        // After the stop, so that a bus that is down holds nothing up but itself.
        if record.ended {
            self.publish_end(&row).await?;
        }
        stopped
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
        let end = row.sandbox.end(self.control.now());
        let why = end.map_or_else(|| "ended".to_owned(), |end| format!("{:?}", end.reason));
        tracing::info!(sandbox.id = %row.sandbox.id, sandbox.name = %row.sandbox.name, task.arn = %arn, "task is stopped");
        Ok(self.tasks.stop(arn, &format!("modbox: sandbox {}: {why}", row.sandbox.id)).await?)
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
        // Whatever the table holds by now, this task is not to run.
        match self.control.unless_in_conflict(bury).await? {
            Committed::Done(_) => {}
            Committed::Stale(_) | Committed::NameLost => {
                tracing::info!(sandbox.id = %sandbox.id, "the removed row was written back before");
            }
        }
        if let Some(task) = sandbox.task() {
            self.tasks.stop(&task.arn, "modbox: the sandbox's row was removed").await?;
        }
        Ok(())
    }
}
