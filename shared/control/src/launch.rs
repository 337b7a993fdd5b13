//! Launch: the task that a row wants, exactly once.

use std::sync::Arc;

use modbox_aws::{
    bus::{Bus, Moment},
    inbound::Record,
    queue::DeadLetters,
    table::Row,
    tasks::{Definition, Launched, Launches, Overrides, StopAnswer, TaskEnvironment},
};
use modbox_sandbox::{Effect, Event, Launch, LaunchRefusal, Provisioning, State, TaskArn};

use serde_json::Value;

use crate::{Control, Error, Keys, batch::batch, reap::stop_reason};

/// What the `launcher` function does: RunTask, and StopTask where the row no longer wants what it started.
#[derive(Clone, Debug)]
pub struct Launcher {
    control: Control,
    launches: Launches,
    bus: Bus,
    dead_letters: DeadLetters,
    keys: Keys,
}

impl Launcher {
    pub fn new(
        control: Control,
        launches: Launches,
        bus: Bus,
        dead_letters: DeadLetters,
        keys: Keys,
    ) -> Self {
        Self { control, launches, bus, dead_letters, keys }
    }

    /// Handles a batch of the table's stream, and answers which records are to be delivered again.
    pub async fn handle(&self, event: &Value) -> Value {
        let launch = async |record: Arc<Record>| self.launch(&record).await;
        batch(&self.dead_letters, "launcher", event, launch).await
    }

    /// Launches what the record's row wants as of now. Idempotent: a redelivery finds what was done.
    ///
    /// An error means that the record is to be delivered again; whatever is wrong with the one row is in the row.
    pub async fn launch(&self, record: &Record) -> Result<(), Error> {
        let Some(id) = record.id else { return Ok(()) };
        let row = match self.control.load(id).await {
            Err(Error::NotFound) => return Ok(()),
            row => row?,
        };
        let sandbox = row.sandbox.clone();
        self.launch_if_wanted(row).await?;
        if record.inserted {
            self.bus.publish(&sandbox, &Moment::Accepted).await?;
        }
        Ok(())
    }

    async fn launch_if_wanted(&self, row: Row) -> Result<(), Error> {
        let now = self.control.now();
        match row.sandbox.state {
            State::Provisioning(Provisioning { launch: Launch::Wanted { attempt }, launch_by })
                if now < launch_by && !row.sandbox.is_over(now) =>
            {
                self.start(row, attempt).await
            }
            // Somebody else has launched it, or nobody wants it any more.
            _ => Ok(()),
        }
    }

    async fn start(&self, row: Row, attempt: u32) -> Result<(), Error> {
        match self.run(&row, attempt).await {
            Ok(Launched::Task(seen)) => self.record(row, seen).await,
            Ok(Launched::Refused(refusal)) => self.refused(row, refusal).await,
            Ok(Launched::DefinitionGone) => {
                let message = "its task definition was deregistered again and again".to_owned();
                self.refused(row, LaunchRefusal { attempt, message, retryable: true }).await
            }
            Err(error) if error.retryable() => Err(error),
            Err(error) => {
                let message = error.to_string();
                self.refused(row, LaunchRefusal { attempt, message, retryable: false }).await
            }
        }
    }

    async fn run(&self, row: &Row, attempt: u32) -> Result<Launched, Error> {
        let overrides = self.overrides(row)?;
        let definition = self.launches.definition(&row.sandbox.spec);
        let arn = match self.control.table.task_definition(&definition.hash()).await? {
            Some(arn) => arn,
            None => self.register(&definition).await?,
        };
        let answer = self.launches.run(&row.sandbox, attempt, &arn, &overrides).await?;
        let Launched::DefinitionGone = answer else {
            return Ok(answer);
        };
        let arn = self.register(&definition).await?;
        Ok(self.launches.run(&row.sandbox, attempt, &arn, &overrides).await?)
    }

    async fn register(&self, definition: &Definition) -> Result<String, Error> {
        let arn = self.launches.register(definition).await?;
        self.control.table.put_task_definition(&definition.hash(), &arn).await?;
        tracing::info!(task_definition.arn = arn, "task definition was registered");
        Ok(arn)
    }

    fn overrides(&self, row: &Row) -> Result<Overrides, Error> {
        let sandbox = &row.sandbox;
        let caller = match &row.env {
            Some(sealed) => self.keys.open(&row.key_id, sandbox.id, sealed)?,
            None => return Err(Error::Unsealable),
        };
        let access_token = self.keys.access_token(&row.key_id, sandbox.id)?;
        let task_token = self.keys.task_token(&row.key_id, sandbox.id, sandbox.incarnation)?;
        let environment =
            TaskEnvironment { caller: &caller, access_token: &access_token, task_token: &task_token };
        Ok(Overrides::new(sandbox, &environment))
    }

    /// Records the task, and stops it at once where the row no longer wants it (rule 4).
    async fn record(&self, row: Row, seen: modbox_sandbox::TaskSeen) -> Result<(), Error> {
        let arn = seen.arn.clone();
        match self.control.change(row, &Event::TaskSeen(seen)).await {
            Ok(changed) if changed.effects.contains(&Effect::Stop(arn.clone())) => {
                match self.stop(&arn, &stop_reason(&changed.row.sandbox, self.control.now())).await? {
                    StopAnswer::Accepted => {
                        self.control.change(changed.row, &Event::StopSent { arn }).await.map(drop)
                    }
                    // ECS does not know it yet (rule 5). The row wants it stopped, so the reaper goes on.
                    StopAnswer::Unknown => Ok(()),
                }
            }
            Ok(_) => Ok(()),
            Err(Error::NotFound) => self.stop(&arn, "modbox: the sandbox is gone").await.map(drop),
            Err(error) => Err(error),
        }
    }

    async fn stop(&self, arn: &TaskArn, reason: &str) -> Result<StopAnswer, Error> {
        tracing::info!(task.arn = %arn, "task is stopped: its sandbox ended while it was launched");
        Ok(self.launches.tasks.stop(arn, reason).await?)
    }

    async fn refused(&self, row: Row, refusal: LaunchRefusal) -> Result<(), Error> {
        tracing::warn!(
            sandbox.id = %row.sandbox.id,
            attempt = refusal.attempt,
            retryable = refusal.retryable,
            reason = refusal.message,
            "ECS refused to start a task"
        );
        match self.control.change(row, &Event::LaunchRefused(refusal)).await {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
