//! Orphans: tasks of this deployment that no row wants.

use std::time::Duration;

use modbox_aws::{
    table::{Loaded, Row},
    tasks::Sighting,
};
use modbox_sandbox::{Effect, Event};

use crate::{Error, Reaper};

/// How old a task must be before nobody wanting it means that nobody will.
const MIN_AGE: Duration = Duration::from_secs(2 * 60);

impl Reaper {
    /// Compares every running task with its row and stops what no row wants; answers how many were stopped.
    ///
    /// A task that its row does not know yet is recorded there, and stopped by the stream if the row is over. One that
    /// fails keeps nobody from the others; the first failure is answered once all were tried.
    pub async fn stop_orphans(&self) -> Result<usize, Error> {
        let arns = self.tasks.all_running().await?;
        let now = self.control.now();
        let mut sightings = self.tasks.describe(&arns).await?.sightings;
        sightings.retain(|sighting| sighting.created_at.is_some_and(|at| now.since(at) >= MIN_AGE));
        let ids: Vec<_> = sightings.iter().map(|sighting| sighting.id).collect();
        let Loaded { rows, damaged } = self.control.table.load_many(&ids).await?;
        let (mut stopped, mut failed) = (0, None);
        for sighting in sightings {
            // A row that cannot be read may want its task; its deadline is in the task.
            if damaged.iter().any(|(id, _)| *id == sighting.id) {
                continue;
            }
            let row = rows.iter().find(|row| row.sandbox.id == sighting.id).cloned();
            match self.is_stopped_orphan(row, sighting).await {
                Ok(is_stopped) => stopped += usize::from(is_stopped),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(stopped), Err)
    }

    async fn is_stopped_orphan(&self, row: Option<Row>, sighting: Sighting) -> Result<bool, Error> {
        let Sighting { id, seen, .. } = sighting;
        let arn = seen.arn.clone();
        let wanted = match row {
            None => false,
            Some(row) => match self.control.change(row, &Event::TaskSeen(seen)).await {
                Ok(changed) => !changed.effects.contains(&Effect::Stop(arn.clone())),
                Err(Error::NotFound | Error::Refused(_)) => false,
                Err(error) => return Err(error),
            },
        };
        if !wanted {
            tracing::warn!(sandbox.id = %id, task.arn = %arn, "an orphan is stopped");
            self.tasks.stop(&arn, "modbox: no sandbox wants this task").await?;
        }
        Ok(!wanted)
    }
}
