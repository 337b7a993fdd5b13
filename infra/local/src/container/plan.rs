//! What of a launch becomes which container.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddrV4},
    path::Path,
};

use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig, ImageConfig, PortBinding};
use modbox_sandbox::contract;

use super::{door::Way, network::Network};
use crate::{
    ecs::{Container, Launch},
    sandbox_task,
};

/// Labels of every container: the folder of whoever started it, the id of its task, its name in the task.
const DATA: &str = "modbox.data";
pub(super) const TASK: &str = "modbox.task";
pub(super) const CONTAINER: &str = "modbox.container";
/// Of every container of a sandbox: its id, and what tells this life of it from others.
const SANDBOX: &str = "modbox.sandbox";
const GROUP: &str = "modbox.group";
/// Of the container whose network and processes the others share: the task's address, empty where it is that of the
/// container, and what has to be let in by its door.
pub(super) const ADDRESS: &str = "modbox.address";
pub(super) const DOOR: &str = "modbox.api";
/// Of an image: `true` where nothing but its volumes need be writable.
const READ_ONLY_ROOT: &str = "modbox.read-only-root";

/// So many processes and threads, which Fargate does not limit.
const TASK_PIDS: i64 = 1024;
const SIDECAR_PIDS: i64 = 32;
/// Of a sidecar, which takes a fraction of it. On Fargate it is part of the task's size.
const SIDECAR_MEMORY: i64 = 64 * MIB;
const SIDECAR_NANO_CPUS: i64 = 250_000_000;
const MIB: i64 = 1024 * 1024;
/// Where a log has grown to this size the older half of it may be gone.
const LOG_SIZE: &str = "10m";

/// The name of a container.
pub(super) fn name(task_id: &str, container: &str) -> String {
    format!("modbox-{task_id}-{container}")
}

/// By what containers are told from others.
#[derive(Clone, Debug)]
pub(super) struct Labels(BTreeMap<&'static str, String>);

impl Labels {
    pub(super) fn of_data(data: &Path) -> Self {
        Self(BTreeMap::from([(DATA, data.display().to_string())]))
    }

    pub(super) fn of_task(data: &Path, task_id: &str) -> Self {
        let mut labels = Self::of_data(data);
        labels.0.insert(TASK, task_id.to_owned());
        labels
    }

    /// For the filter of a list.
    pub(super) fn filter(&self) -> Vec<String> {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// What the containers of one task have in common.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub(super) launch: &'a Launch,
    pub(super) data: &'a Path,
    pub(super) network: &'a Network,
    /// How the sidecars reach the API, where they are told one.
    pub(super) way: Option<Way>,
}

/// Where a container has its network and its processes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// Of its own, for others to join.
    Own,
    /// With that container.
    With(&'a str),
}

impl Plan<'_> {
    /// The address in the sandbox's URL, when that is one of the loopback network.
    fn published(&self) -> Option<SocketAddrV4> {
        sandbox_task::loopback_address(self.launch)
    }

    /// The task's address; none: that of its container.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.published().map(|address| IpAddr::V4(*address.ip()))
    }

    pub(super) fn body(
        &self,
        container: &Container,
        image: &ImageConfig,
        place: Place<'_>,
    ) -> ContainerCreateBody {
        let ports = if matches!(place, Place::Own) { self.ports() } else { BTreeSet::new() };
        let some = |words: &Vec<String>| (!words.is_empty()).then(|| words.clone());
        ContainerCreateBody {
            image: Some(container.image.clone()),
            entrypoint: some(&container.entry_point),
            cmd: some(&container.command),
            env: Some(self.environment(container)),
            labels: Some(self.labels(container, place)),
            exposed_ports: Some(ports.iter().map(|port| format!("{port}/tcp")).collect()),
            stop_timeout: Some(seconds(container)),
            host_config: Some(self.host_config(container, image, place)),
            ..ContainerCreateBody::default()
        }
    }

    fn host_config(&self, container: &Container, image: &ImageConfig, place: Place<'_>) -> HostConfig {
        let limits = Limits::of(self.launch, container);
        let log = HashMap::from([("max-size".to_owned(), LOG_SIZE.to_owned())]);
        let own = matches!(place, Place::Own);
        let joined = match place {
            Place::Own => None,
            Place::With(owner) => Some(format!("container:{owner}")),
        };
        HostConfig {
            memory: limits.memory,
            // No swap beside it.
            memory_swap: limits.memory,
            nano_cpus: limits.nano_cpus,
            pids_limit: Some(limits.pids),
            cap_drop: Some(vec!["ALL".to_owned()]),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            readonly_rootfs: Some(is_read_only(image)),
            network_mode: Some(joined.clone().unwrap_or_else(|| self.network.name.to_owned())),
            pid_mode: joined,
            port_bindings: own.then(|| self.bindings()),
            extra_hosts: self
                .way
                .as_ref()
                .filter(|_| own)
                .and_then(|way| way.host.clone())
                .map(|host| vec![host]),
            log_config: Some(HostConfigLogConfig { typ: Some("json-file".to_owned()), config: Some(log) }),
            ..HostConfig::default()
        }
    }

    /// Each of the container's variables, with the address of the API as it is from here.
    fn environment(&self, container: &Container) -> Vec<String> {
        let value = |name: &str, value: &str| match &self.way {
            Some(way) if name == contract::API_URL => way.url.clone(),
            _ => value.to_owned(),
        };
        let pairs = container.environment.iter();
        pairs.map(|(name, given)| format!("{name}={}", value(name, given))).collect()
    }

    fn labels(&self, container: &Container, place: Place<'_>) -> HashMap<String, String> {
        let mut labels = Labels::of_task(self.data, self.launch.task_id()).0;
        labels.insert(CONTAINER, container.name.clone());
        labels.insert(GROUP, self.launch.group.clone());
        if let Some(sandbox) = sandbox_task::sandbox_id(self.launch) {
            labels.insert(SANDBOX, sandbox.to_owned());
        }
        if let Place::Own = place {
            labels.insert(ADDRESS, self.address().map(|address| address.to_string()).unwrap_or_default());
            let door = self.way.as_ref().and_then(|way| way.door);
            labels.extend(door.map(|door| (DOOR, door.to_string())));
        }
        labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The ports that are reached at the task's address.
    fn ports(&self) -> BTreeSet<u16> {
        let Some(published) = self.published() else { return BTreeSet::new() };
        let readiness = self.launch.container(contract::READY);
        let readiness =
            readiness.and_then(|ready| ready.environment.get(contract::READINESS_PORT)?.parse().ok());
        readiness.into_iter().chain([published.port()]).collect()
    }

    fn bindings(&self) -> HashMap<String, Option<Vec<PortBinding>>> {
        let host_ip = self.address().map(|address| address.to_string());
        let binding = |port: u16| PortBinding { host_ip: host_ip.clone(), host_port: Some(port.to_string()) };
        self.ports().into_iter().map(|port| (format!("{port}/tcp"), Some(vec![binding(port)]))).collect()
    }
}

/// The seconds between SIGTERM and SIGKILL, which engines take as a whole number.
pub(super) fn seconds(container: &Container) -> i64 {
    i64::try_from(container.stop_timeout.as_millis().div_ceil(1000)).unwrap_or(i64::MAX)
}

fn is_read_only(image: &ImageConfig) -> bool {
    let label = image.labels.as_ref().and_then(|labels| labels.get(READ_ONLY_ROOT));
    label.is_some_and(|value| value == "true")
}

/// What a container may use.
struct Limits {
    memory: Option<i64>,
    nano_cpus: Option<i64>,
    pids: i64,
}

impl Limits {
    /// The task's size for whatever is not a sidecar of ours; ECS counts memory in MiB, and 1024 units a processor.
    fn of(launch: &Launch, container: &Container) -> Self {
        if [contract::DEADLINE, contract::READY].contains(&container.name.as_str()) {
            return Self {
                memory: Some(SIDECAR_MEMORY),
                nano_cpus: Some(SIDECAR_NANO_CPUS),
                pids: SIDECAR_PIDS,
            };
        }
        let number = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok());
        Self {
            memory: number(&launch.memory).map(|mib| mib.saturating_mul(MIB)),
            nano_cpus: number(&launch.cpu).map(|units| units.saturating_mul(1_000_000_000) / 1024),
            pids: TASK_PIDS,
        }
    }
}
