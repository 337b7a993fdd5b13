//! Starting tasks.

use aws_sdk_ecs::types::{AssignPublicIp, AwsVpcConfiguration, LaunchType, NetworkConfiguration};
use modbox_sandbox::{LaunchRefusal, Sandbox, TaskArn, TaskPhase, TaskSeen, contract};

use super::{
    Place, Tasks,
    definition::Architecture,
    overrides::Overrides,
    seen::{self, Observed},
};
use crate::{Connection, Error, error::classify};

/// What tasks are made of, and the network that they are in.
#[derive(Clone, Debug)]
pub struct LaunchSettings {
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
    pub assign_public_ip: bool,
    /// The image of the two sidecars.
    pub sidecar_image: String,
    /// The repository that stands for the names of the built-in images; absent: they are pulled by their names.
    pub image_repository: Option<String>,
    /// Absent: what ECS takes by itself.
    pub architecture: Option<Architecture>,
    pub execution_role_arn: Option<String>,
    pub log_group: Option<String>,
}

impl LaunchSettings {
    /// The image as ECS is to pull it.
    pub(super) fn pulled(&self, image: &str) -> String {
        match (&self.image_repository, contract::built_in_version(image)) {
            (Some(repository), Some(version)) => format!("{repository}{version}"),
            _ => image.to_owned(),
        }
    }
}

/// Handle on ECS that can start tasks; cheap to clone.
#[derive(Clone, Debug)]
pub struct Launches {
    /// The tasks that there are.
    pub tasks: Tasks,
    pub(super) settings: LaunchSettings,
    pub(super) region: String,
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

impl Launches {
    pub fn new(connection: &Connection, place: Place, settings: LaunchSettings) -> Self {
        Self { tasks: Tasks::new(connection, place), settings, region: connection.region().to_owned() }
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
            .tasks
            .client
            .run_task()
            .cluster(&self.tasks.place.cluster)
            .task_definition(definition_arn)
            .launch_type(LaunchType::Fargate)
            .count(1)
            .client_token(format!("{}-{}-{attempt}", sandbox.id.as_u128_hex(), sandbox.incarnation))
            .started_by(self.tasks.started_by(sandbox.id))
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
