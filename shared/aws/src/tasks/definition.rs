//! The task definition: what all tasks of one image share.

use aws_sdk_ecs::types::{
    Compatibility, ContainerDefinition, CpuArchitecture, KernelCapabilities, KeyValuePair, LinuxParameters,
    LogConfiguration, LogDriver, NetworkMode, OsFamily, PortMapping, RuntimePlatform,
};
use modbox_sandbox::{Spec, TaskArn, contract};

use super::Launches;
use crate::{Error, error::classify, hash::sha256_hex};

/// How long ECS waits between SIGTERM and SIGKILL; Fargate's least.
const STOP_TIMEOUT_SECONDS: i32 = 2;

/// The processors that a deployment's tasks run on: their images must be made for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    X86_64,
    Arm64,
}

/// A name that is none of an architecture.
#[derive(Debug, thiserror::Error)]
#[error("it must be X86_64 or ARM64")]
pub struct UnknownArchitecture;

impl std::str::FromStr for Architecture {
    type Err = UnknownArchitecture;

    /// As ECS names them.
    fn from_str(name: &str) -> Result<Self, UnknownArchitecture> {
        match name {
            "X86_64" => Ok(Self::X86_64),
            "ARM64" => Ok(Self::Arm64),
            _ => Err(UnknownArchitecture),
        }
    }
}

/// A registration, before ECS knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    family: String,
    image: String,
    sidecar_image: String,
    architecture: Option<Architecture>,
    readiness_port: Option<u16>,
    execution_role_arn: Option<String>,
    log_group: Option<String>,
    region: String,
}

impl Definition {
    /// Names the registration by all that is in it.
    pub fn hash(&self) -> String {
        let mut hash = sha256_hex(&format!("2 {STOP_TIMEOUT_SECONDS} {self:?}"));
        hash.truncate(32);
        hash
    }

    fn containers(&self) -> Vec<ContainerDefinition> {
        let port = self.readiness_port.map(|port| PortMapping::builder().container_port(port.into()).build());
        let main =
            self.container(contract::MAIN, &self.image, true).set_port_mappings(port.map(|port| vec![port]));
        let sidecar = |name, essential| {
            let container = self.container(name, &self.sidecar_image, essential);
            container.command(name).readonly_root_filesystem(true)
        };
        let (deadline, ready) = (sidecar(contract::DEADLINE, true), sidecar(contract::READY, false));
        let mut containers = vec![main.build(), deadline.build()];
        if self.readiness_port.is_some() {
            containers.push(ready.build());
        }
        containers
    }

    fn container(
        &self,
        name: &str,
        image: &str,
        essential: bool,
    ) -> aws_sdk_ecs::types::builders::ContainerDefinitionBuilder {
        ContainerDefinition::builder()
            .name(name)
            .image(image)
            .essential(essential)
            .stop_timeout(STOP_TIMEOUT_SECONDS)
            .linux_parameters(without_capabilities())
            .set_log_configuration(self.logs(name))
            // A deployment without a caller's variables still registers a definition that overrides can extend.
            .set_environment(Some(Vec::<KeyValuePair>::new()))
    }

    fn logs(&self, container: &str) -> Option<LogConfiguration> {
        let group = self.log_group.as_ref()?;
        LogConfiguration::builder()
            .log_driver(LogDriver::Awslogs)
            .options("awslogs-group", group)
            .options("awslogs-region", &self.region)
            .options("awslogs-stream-prefix", stream_prefix(container))
            .build()
            .ok()
    }
}

/// Nothing that runs in a task may do what only root may, whoever it runs as.
fn without_capabilities() -> LinuxParameters {
    LinuxParameters::builder().capabilities(KernelCapabilities::builder().drop("ALL").build()).build()
}

fn platform(architecture: Architecture) -> RuntimePlatform {
    let architecture = match architecture {
        Architecture::X86_64 => CpuArchitecture::X8664,
        Architecture::Arm64 => CpuArchitecture::Arm64,
    };
    RuntimePlatform::builder().operating_system_family(OsFamily::Linux).cpu_architecture(architecture).build()
}

fn stream_prefix(container: &str) -> &str {
    container
}

/// The stream into which the awslogs driver writes what a container says: `<prefix>/<container>/<task id>` (ECS developer
/// guide, awslogs driver). stdout and stderr come together and cannot be told apart.
pub(crate) fn log_stream(container: &str, task: &TaskArn) -> String {
    let task_id = task.as_str().rsplit('/').next().unwrap_or_default();
    format!("{}/{container}/{task_id}", stream_prefix(container))
}

impl Launches {
    /// The registration that a sandbox of that spec needs.
    pub fn definition(&self, spec: &Spec) -> Definition {
        Definition {
            family: format!("modbox-{}", self.tasks.place.stack),
            image: self.settings.pulled(&spec.image),
            sidecar_image: self.settings.sidecar_image.clone(),
            architecture: self.settings.architecture,
            readiness_port: spec.readiness_port,
            execution_role_arn: self.settings.execution_role_arn.clone(),
            log_group: self.settings.log_group.clone(),
            region: self.region.clone(),
        }
    }

    /// Registers it and answers its ARN. Registering twice makes two revisions, each as good as the other; of several at the
    /// same moment ECS takes one, and answers the others "later".
    pub async fn register(&self, definition: &Definition) -> Result<String, Error> {
        let answer = self
            .tasks
            .client
            .register_task_definition()
            .family(format!("{}-{}", definition.family, definition.hash()))
            .network_mode(NetworkMode::Awsvpc)
            .requires_compatibilities(Compatibility::Fargate)
            .cpu(contract::CPU_UNITS.to_string())
            .memory("1024")
            .set_runtime_platform(definition.architecture.map(platform))
            .set_execution_role_arn(definition.execution_role_arn.clone())
            .set_container_definitions(Some(definition.containers()))
            .send()
            .await
            .map_err(|error| classify("RegisterTaskDefinition", error))?;
        let arn = answer.task_definition().and_then(|definition| definition.task_definition_arn());
        arn.map(ToOwned::to_owned).ok_or_else(|| Error::Unavailable {
            operation: "RegisterTaskDefinition",
            message: "the answer names no task definition".to_owned(),
        })
    }
}
