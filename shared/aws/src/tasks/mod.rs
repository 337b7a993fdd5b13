//! ECS: starting, stopping and finding tasks. No call here decides anything.

mod definition;
mod launches;
mod overrides;
mod seen;

use aws_sdk_ecs::{Client, types::DesiredStatus};
use modbox_sandbox::{SandboxId, TaskArn};

pub(crate) use definition::log_stream;
pub use definition::{Architecture, Definition, UnknownArchitecture};
pub use launches::{LaunchSettings, Launched, Launches};
pub use overrides::{MAX_OVERRIDES_CHARS, Overrides, TaskEnvironment};
pub use seen::{Observed, Sighting};

use crate::{Connection, Error, error::classify};

/// DescribeTasks takes, and ListTasks gives, no more than this at once.
pub const TASKS_PER_CALL: usize = 100;

/// Which tasks are this deployment's.
#[derive(Clone, Debug)]
pub struct Place {
    pub cluster: String,
    /// The name of this deployment: part of `startedBy`, by which its tasks are told from others in the cluster.
    pub stack: String,
}

/// Handle on the tasks that there are; cheap to clone. It starts none: see [`Launches`].
#[derive(Clone, Debug)]
pub struct Tasks {
    client: Client,
    place: Place,
}

/// The outcome of StopTask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopAnswer {
    Accepted,
    /// ECS does not know the task: not yet, or not any more.
    Unknown,
}

/// What DescribeTasks says of some tasks.
#[derive(Debug, Default)]
pub struct Described {
    pub sightings: Vec<Sighting>,
    pub missing: Vec<TaskArn>,
}

impl Tasks {
    pub fn new(connection: &Connection, place: Place) -> Self {
        Self { client: connection.ecs(), place }
    }

    /// `startedBy` of every task of that sandbox.
    fn started_by(&self, id: SandboxId) -> String {
        format!("modbox/{}/{id}", self.place.stack)
    }

    /// Asks ECS to stop a task. Harmless for one that is stopping or stopped.
    pub async fn stop(&self, arn: &TaskArn, reason: &str) -> Result<StopAnswer, Error> {
        let call = self.client.stop_task().cluster(&self.place.cluster).task(arn.as_str()).reason(reason);
        match call.send().await.map_err(|error| classify("StopTask", error)) {
            Ok(_) => Ok(StopAnswer::Accepted),
            Err(Error::Refused { message, .. }) if message.contains("not found") => Ok(StopAnswer::Unknown),
            Err(other) => Err(other),
        }
    }

    /// What ECS says of these tasks, a hundred at a time.
    pub async fn describe(&self, arns: &[TaskArn]) -> Result<Described, Error> {
        let mut described = Described::default();
        for chunk in arns.chunks(TASKS_PER_CALL) {
            let answer = self
                .client
                .describe_tasks()
                .cluster(&self.place.cluster)
                .set_tasks(Some(chunk.iter().map(ToString::to_string).collect()))
                .send()
                .await
                .map_err(|error| classify("DescribeTasks", error))?;
            let tasks = answer.tasks().iter();
            described
                .sightings
                .extend(tasks.filter_map(|task| Observed::of_task(task).sighting(&self.place.stack)));
            let missing = answer.failures().iter().filter(|failure| failure.reason() == Some("MISSING"));
            described.missing.extend(missing.filter_map(|failure| failure.arn()).map(TaskArn::new));
        }
        Ok(described)
    }

    /// The tasks that were started for a sandbox and are not stopped.
    pub async fn started_for(&self, id: SandboxId) -> Result<Vec<TaskArn>, Error> {
        let by = self.started_by(id);
        let answer = self
            .client
            .list_tasks()
            .cluster(&self.place.cluster)
            .started_by(by)
            .send()
            .await
            .map_err(|error| classify("ListTasks", error))?;
        Ok(answer.task_arns().iter().map(TaskArn::new).collect())
    }

    /// Every task of the cluster that is to run, a page at a time.
    pub async fn all_running(&self) -> Result<Vec<TaskArn>, Error> {
        let mut arns = Vec::new();
        let mut next = None;
        loop {
            let page = self
                .client
                .list_tasks()
                .cluster(&self.place.cluster)
                .desired_status(DesiredStatus::Running)
                .set_next_token(next)
                .send()
                .await
                .map_err(|error| classify("ListTasks", error))?;
            arns.extend(page.task_arns().iter().map(TaskArn::new));
            next = page.next_token;
            if next.is_none() {
                return Ok(arns);
            }
        }
    }
}
