//! ECS: starting, stopping and finding tasks. No call here decides anything.

mod definition;
mod overrides;
mod seen;

use aws_sdk_ecs::{
    Client,
    types::{AssignPublicIp, AwsVpcConfiguration, DesiredStatus, LaunchType, NetworkConfiguration},
};
use modbox_sandbox::{LaunchRefusal, Sandbox, SandboxId, TaskArn, TaskPhase, TaskSeen};

pub use definition::Definition;
pub(crate) use definition::log_stream;
pub use overrides::{MAX_OVERRIDES_CHARS, Overrides, TaskEnvironment};
pub use seen::{Observed, Sighting};

use crate::{Connection, Error, error::classify};

/// DescribeTasks takes, and ListTasks gives, no more than this at once.
pub const TASKS_PER_CALL: usize = 100;

/// Where tasks run and what they are made of.
#[derive(Clone, Debug)]
pub struct TaskSettings {
    pub cluster: String,
    /// The name of this deployment: part of `startedBy`, by which its tasks are told from others in the cluster.
    pub stack: String,
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    /// The image of the two sidecars.
    pub sidecar_image: String,
    pub execution_role_arn: Option<String>,
    pub log_group: Option<String>,
}

/// Handle on ECS; cheap to clone.
#[derive(Clone, Debug)]
pub struct Tasks {
    client: Client,
    settings: TaskSettings,
    region: String,
}

/// The outcome of RunTask, as far as it is known for certain.
#[derive(Debug)]
pub enum Launched {
    /// A task exists; possibly an old one of the same token, possibly stopped already.
    Task(TaskSeen),
    /// Definitely none was started.
    Refused(LaunchRefusal),
    /// The task definition is not registered any more; nothing was started.
    DefinitionGone,
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
    pub fn new(connection: &Connection, settings: TaskSettings) -> Self {
        let region = connection.region().to_owned();
        Self { client: connection.ecs(), settings, region }
    }

    /// `startedBy` of every task of that sandbox.
    fn started_by(&self, id: SandboxId) -> String {
        format!("modbox/{}/{id}", self.settings.stack)
    }

    /// Starts the sandbox's task, once per incarnation and attempt however often it is called: `clientToken`.
    pub async fn run(
        &self,
        sandbox: &Sandbox,
        attempt: u32,
        definition_arn: &str,
        overrides: &Overrides,
    ) -> Result<Launched, Error> {
        let answer = self
            .client
            .run_task()
            .cluster(&self.settings.cluster)
            .task_definition(definition_arn)
            .launch_type(LaunchType::Fargate)
            .count(1)
            .client_token(format!("{}-{}-{attempt}", sandbox.id.as_u128_hex(), sandbox.incarnation))
            .started_by(self.started_by(sandbox.id))
            .group(seen::group(sandbox.incarnation))
            .set_network_configuration(self.network()?)
            .overrides(overrides.to_sdk())
            .send()
            .await;
        let refused =
            |message: String, retryable| Launched::Refused(LaunchRefusal { attempt, message, retryable });
        let adopted = |arn: &str, version, phase| {
            let (incarnation, arn) = (sandbox.incarnation, TaskArn::new(arn));
            Launched::Task(TaskSeen { incarnation, arn, version, phase })
        };
        match answer {
            Ok(answer) => {
                if let Some(task) = answer.tasks().first() {
                    let observed = Observed::of_task(task);
                    return Ok(adopted(observed.arn.as_str(), observed.version, observed.phase()));
                }
                let failure = answer.failures().first();
                let reason = failure.and_then(|failure| failure.reason()).unwrap_or("ECS started nothing");
                let detail = failure.and_then(|failure| failure.detail()).map(|detail| format!(": {detail}"));
                Ok(refused(format!("{reason}{}", detail.unwrap_or_default()), is_passing(reason)))
            }
            Err(error) => {
                use aws_sdk_ecs::operation::run_task::RunTaskError as Refusal;
                if let Some(Refusal::ConflictException(conflict)) = error.as_service_error()
                    && let Some(arn) = conflict.resource_ids().first()
                {
                    return Ok(adopted(arn, 0, TaskPhase::Starting));
                }
                match classify("RunTask", error) {
                    Error::Refused { message, .. } if is_definition_gone(&message) => {
                        Ok(Launched::DefinitionGone)
                    }
                    Error::Refused { code, message, .. } => {
                        let retryable = is_passing(&message);
                        Ok(refused(format!("{code}: {message}"), retryable))
                    }
                    other => Err(other),
                }
            }
        }
    }

    fn network(&self) -> Result<Option<NetworkConfiguration>, Error> {
        if self.settings.subnets.is_empty() {
            return Ok(None);
        }
        let public =
            if self.settings.assign_public_ip { AssignPublicIp::Enabled } else { AssignPublicIp::Disabled };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(self.settings.subnets.clone()))
            .set_security_groups(Some(self.settings.security_groups.clone()))
            .assign_public_ip(public)
            .build()
            .map_err(|error| Error::Refused {
                operation: "RunTask",
                code: "MalformedRequest".to_owned(),
                message: error.to_string(),
            })?;
        Ok(Some(NetworkConfiguration::builder().awsvpc_configuration(vpc).build()))
    }

    /// Asks ECS to stop a task. Harmless for one that is stopping or stopped.
    pub async fn stop(&self, arn: &TaskArn, reason: &str) -> Result<StopAnswer, Error> {
        let call = self.client.stop_task().cluster(&self.settings.cluster).task(arn.as_str()).reason(reason);
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
                .cluster(&self.settings.cluster)
                .set_tasks(Some(chunk.iter().map(ToString::to_string).collect()))
                .send()
                .await
                .map_err(|error| classify("DescribeTasks", error))?;
            let tasks = answer.tasks().iter();
            described
                .sightings
                .extend(tasks.filter_map(|task| Observed::of_task(task).sighting(&self.settings.stack)));
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
            .cluster(&self.settings.cluster)
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
                .cluster(&self.settings.cluster)
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

/// Whether ECS's words say that the task definition was deregistered, or deleted since.
fn is_definition_gone(message: &str) -> bool {
    message.contains("TaskDefinition is inactive") || message.contains("TaskDefinition not found")
}

/// Whether ECS's words speak of something that passes: capacity and quotas come back, a wrong request does not.
fn is_passing(reason: &str) -> bool {
    const PASSING: [&str; 4] = ["RESOURCE:", "Capacity is unavailable", "capacity", "reached the limit"];
    PASSING.iter().any(|words| reason.contains(words))
}
