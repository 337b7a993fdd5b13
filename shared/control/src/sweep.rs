//! Sweep: what the attention index says is due. No Scan, and one Query per shard when nothing is.

use futures::{StreamExt as _, stream};
use modbox_aws::table::{ATTENTION_SHARDS, Loaded, Row};
use modbox_sandbox::{Event, Sandbox, SandboxId, State, TaskArn, Timestamp};

use crate::{Error, Reaper};

/// How many due rows of a shard one sweep takes; the rest is due still at the next.
const ROWS_PER_SHARD: usize = 500;
/// How many rows are worked on at once.
const AT_ONCE: usize = 10;

/// What a sweep met.
#[derive(Debug, Default)]
pub struct Swept {
    pub due: usize,
    /// Rows that cannot be read, which the sweep can do nothing about.
    pub damaged: Vec<(SandboxId, modbox_aws::Error)>,
}

impl Reaper {
    /// Expires, touches and compares with ECS whatever is due.
    ///
    /// The index may lag, so every row is read again, and one that is not due after all is left alone. A row that
    /// fails keeps nobody from the others; the first failure is answered once all were tried.
    pub async fn sweep(&self) -> Result<Swept, Error> {
        let now = self.control.now();
        let mut ids = Vec::new();
        for shard in 0..ATTENTION_SHARDS {
            ids.extend(self.control.table.due(shard, now, ROWS_PER_SHARD).await?);
        }
        let Loaded { mut rows, damaged } = self.control.table.load_many(&ids).await?;
        rows.retain(|row| row.sandbox.look_at.is_some_and(|at| at <= now));
        let due = rows.len();
        let heard = self.listen(&rows, now).await;
        let mut ticks = Vec::with_capacity(due);
        for row in rows {
            ticks.push(self.tick(row));
        }
        let ticked: Vec<Result<(), Error>> = stream::iter(ticks).buffer_unordered(AT_ONCE).collect().await;
        ticked.into_iter().collect::<Result<(), Error>>()?;
        heard?;
        Ok(Swept { due, damaged })
    }

    /// Has the schedule meet a damaged row no more; its dead letter is what remains of it.
    pub async fn set_aside(&self, id: SandboxId) -> Result<(), Error> {
        Ok(self.control.table.set_aside(id).await?)
    }

    async fn tick(&self, row: Row) -> Result<(), Error> {
        // What `listen` learned is in the table: read again, so that a tick does not speak of an older row.
        match self.control.load(row.sandbox.id).await {
            Ok(row) => self.fold(row, &Event::Tick).await,
            Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks ECS about every due row of which nothing was heard, and folds the answers in.
    async fn listen(&self, rows: &[Row], now: Timestamp) -> Result<(), Error> {
        let silent = rows.iter().filter(|row| is_silent(&row.sandbox, now));
        let (with_task, without): (Vec<&Row>, Vec<&Row>) =
            silent.partition(|row| row.sandbox.task().is_some());
        let arns: Vec<TaskArn> =
            with_task.iter().filter_map(|row| row.sandbox.task()).map(|task| task.arn.clone()).collect();
        if !arns.is_empty() {
            self.describe(&with_task, &arns).await?;
        }
        for row in without {
            self.look_for_task(row).await?;
        }
        Ok(())
    }

    async fn describe(&self, rows: &[&Row], arns: &[TaskArn]) -> Result<(), Error> {
        let described = self.tasks.describe(arns).await?;
        let of = |arn: &TaskArn| {
            rows.iter().find(|row| row.sandbox.task().is_some_and(|task| task.arn == *arn)).copied().cloned()
        };
        let seen = described
            .sightings
            .into_iter()
            .map(|sighting| (of(&sighting.seen.arn), Event::TaskSeen(sighting.seen)));
        let missing = described.missing.into_iter().map(|arn| (of(&arn), Event::TaskMissing { arn }));
        for (row, event) in seen.chain(missing) {
            if let Some(row) = row {
                self.fold(row, &event).await?;
            }
        }
        Ok(())
    }

    /// Rule 5: a sandbox that ended before a task was known is over only once ListTasks knows none.
    async fn look_for_task(&self, row: &Row) -> Result<(), Error> {
        let arns = self.tasks.started_for(row.sandbox.id).await?;
        if arns.is_empty() {
            return self.fold(row.clone(), &Event::NoTask).await;
        }
        for sighting in self.tasks.describe(&arns).await?.sightings {
            let row = self.control.load(row.sandbox.id).await?;
            self.fold(row, &Event::TaskSeen(sighting.seen)).await?;
        }
        Ok(())
    }
}

/// Whether ECS is to be asked: the row has or may have a task, and waits to hear of it.
fn is_silent(sandbox: &Sandbox, now: Timestamp) -> bool {
    match &sandbox.state {
        State::Provisioning(_) | State::Running(_) => !sandbox.is_over(now) && sandbox.task().is_some(),
        State::Destroying(_) | State::Destroyed(_) => true,
    }
}
