//! Sweep: what the attention index says is due. No Scan, and one Query per shard when nothing is.

use futures::{StreamExt as _, stream};
use modbox_aws::{
    queue::DeadLetter,
    table::{ATTENTION_SHARDS, Damaged, Loaded, Row},
};
use modbox_sandbox::{Event, Sandbox, State, TaskArn};

use crate::{Error, Reaper};

/// How many due rows of a shard one sweep takes; the rest is due still at the next.
const ROWS_PER_SHARD: usize = 500;
/// How many rows are worked on at once.
const AT_ONCE: usize = 10;

impl Reaper {
    /// Expires, touches and compares with ECS whatever is due; answers how many rows were.
    ///
    /// The index may lag, so every row is read again, and one that is not due after all is left alone. A row that
    /// fails keeps nobody from the others; the first failure is answered once all were tried.
    pub async fn sweep(&self) -> Result<usize, Error> {
        let now = self.control.now();
        let mut ids = Vec::new();
        for shard in 0..ATTENTION_SHARDS {
            ids.extend(self.control.table.due(shard, now, ROWS_PER_SHARD).await?);
        }
        let Loaded { mut rows, damaged } = self.control.table.load_many(&ids).await?;
        rows.retain(|row| row.sandbox.look_at.is_some_and(|at| at <= now));
        let due = rows.len();
        // What is over by the clock does not wait for what ECS has to say of the others.
        let (over, others): (Vec<Row>, Vec<Row>) =
            rows.into_iter().partition(|row| row.sandbox.is_live() && row.sandbox.is_over(now));
        let expired = self.tick(over).await;
        let heard = self.listen(&others).await;
        let touched = self.tick(others).await;
        let reported = self.set_aside(damaged).await;
        expired.and(heard).and(touched).and(reported).map(|()| due)
    }

    /// Has the schedule meet damaged rows no more; their dead letters are what remains of them.
    async fn set_aside(&self, damaged: Vec<Damaged>) -> Result<(), Error> {
        for Damaged { id, error, item } in damaged {
            // A newer version wrote it and is to come back: nothing is wrong with the row.
            if let modbox_aws::Error::UnknownFormat { .. } = error {
                tracing::error!(sandbox.id = %id, %error, "a row is left to the version that wrote it");
                continue;
            }
            let (key, reason) = (format!("SANDBOX#{id}"), error.to_string());
            let letter = DeadLetter { function: "reaper", key, sequence_number: None, reason, item };
            self.dead_letters.send(&letter).await?;
            self.control.table.set_aside(id).await?;
        }
        Ok(())
    }

    async fn tick(&self, rows: Vec<Row>) -> Result<(), Error> {
        let mut ticks = Vec::with_capacity(rows.len());
        for row in rows {
            ticks.push(self.tick_one(row));
        }
        all(ticks).await
    }

    async fn tick_one(&self, row: Row) -> Result<(), Error> {
        // What `listen` learned is in the table: read again, so that a tick does not speak of an older row.
        match self.control.load(row.sandbox.id).await {
            Ok(row) => self.fold(row, &Event::Tick).await,
            Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks ECS about every due row of which nothing was heard, and folds the answers in.
    async fn listen(&self, rows: &[Row]) -> Result<(), Error> {
        let silent = rows.iter().filter(|row| is_silent(&row.sandbox));
        let (with_task, without): (Vec<&Row>, Vec<&Row>) =
            silent.partition(|row| row.sandbox.task().is_some());
        let arns: Vec<TaskArn> =
            with_task.iter().filter_map(|row| row.sandbox.task()).map(|task| task.arn.clone()).collect();
        let described = if arns.is_empty() { Ok(()) } else { self.describe(&with_task, &arns).await };
        let mut looks = Vec::with_capacity(without.len());
        for row in without {
            looks.push(self.look_for_task(row));
        }
        described.and(all(looks).await)
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
        let mut folds = Vec::new();
        for (row, event) in seen.chain(missing) {
            folds.extend(row.map(|row| async move { self.fold(row, &event).await }));
        }
        all(folds).await
    }

    /// Rule 5: a sandbox that ended before a task was known is over only once ListTasks knows none.
    async fn look_for_task(&self, row: &Row) -> Result<(), Error> {
        let arns = self.tasks.started_for(row.sandbox.id).await?;
        if arns.is_empty() {
            return self.fold(row.clone(), &Event::NoTask).await;
        }
        for sighting in self.tasks.describe(&arns).await?.sightings {
            self.fold(row.clone(), &Event::TaskSeen(sighting.seen)).await?;
        }
        Ok(())
    }
}

/// Whether ECS is to be asked: the row has or may have a task, and waits to hear of it.
fn is_silent(sandbox: &Sandbox) -> bool {
    match &sandbox.state {
        State::Provisioning(_) | State::Running(_) => sandbox.task().is_some(),
        State::Destroying(_) | State::Destroyed(_) => true,
    }
}

/// Does all, a few at a time, and answers the first failure once all are done.
async fn all(work: Vec<impl Future<Output = Result<(), Error>>>) -> Result<(), Error> {
    let done: Vec<Result<(), Error>> = stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
    done.into_iter().collect()
}
