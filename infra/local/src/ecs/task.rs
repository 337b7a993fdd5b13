//! One task: what is known of it, and the changes that it can undergo. It says of each call whether it was one.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use modbox_sandbox::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    definitions::Definition,
    engine::{Exit, StartError},
    tokens::Use,
    wire,
};

/// The states of a task, in the order in which it passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Provisioning,
    Pending,
    Activating,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// Why a task stopped, as ECS's enum says it; the codes that nothing here can cause are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum StopCode {
    TaskFailedToStart,
    EssentialContainerExited,
    /// Somebody called StopTask.
    UserInitiated,
    /// The machine that runs the tasks ends them, as at a shutdown.
    ServiceSchedulerInitiated,
}

impl StopCode {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
        }
    }
}

/// What the task's own actor is to do; only ever raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Run,
    Stop,
    StopByForce,
}

pub(super) struct Task {
    pub(super) id: String,
    pub(super) cluster: String,
    pub(super) definition: Arc<Definition>,
    pub(super) request: Request,
    pub(super) token: Option<Use>,
    pub(super) attachment_id: String,
    pub(super) version: u64,
    pub(super) status: Status,
    /// Set with the wish to stop it: `desiredStatus` is STOPPED from then on.
    pub(super) stop: Option<Stopped>,
    pub(super) address: Option<IpAddr>,
    pub(super) times: Times,
    pub(super) containers: Vec<ContainerState>,
    pub(super) orders: watch::Sender<Order>,
}

/// What RunTask was given, with its defaults.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Request {
    /// Of a task that an earlier run launched without the values of the environment.
    pub(super) overrides: OverridesText,
    pub(super) started_by: Option<String>,
    pub(super) group: String,
    pub(super) launch_type: String,
    pub(super) cpu: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) tags: Value,
    pub(super) enable_execute_command: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Stopped {
    pub(super) code: StopCode,
    pub(super) reason: String,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(from = "BTreeMap<String, i64>", into = "BTreeMap<String, i64>")]
pub(super) struct Times {
    pub(super) created_at: Option<Timestamp>,
    pub(super) connected_at: Option<Timestamp>,
    pub(super) pull_started_at: Option<Timestamp>,
    pub(super) pull_stopped_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) stopping_at: Option<Timestamp>,
    pub(super) execution_stopped_at: Option<Timestamp>,
    pub(super) stopped_at: Option<Timestamp>,
}

impl Times {
    pub(super) fn named(&self) -> [(&'static str, Option<Timestamp>); 8] {
        [
            ("createdAt", self.created_at),
            ("connectivityAt", self.connected_at),
            ("pullStartedAt", self.pull_started_at),
            ("pullStoppedAt", self.pull_stopped_at),
            ("startedAt", self.started_at),
            ("stoppingAt", self.stopping_at),
            ("executionStoppedAt", self.execution_stopped_at),
            ("stoppedAt", self.stopped_at),
        ]
    }
}

impl From<Times> for BTreeMap<String, i64> {
    fn from(times: Times) -> Self {
        let known = times.named().into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?.millis())));
        known.collect()
    }
}

impl From<BTreeMap<String, i64>> for Times {
    fn from(millis: BTreeMap<String, i64>) -> Self {
        let at = |name| millis.get(name).copied().map(Timestamp::from_millis);
        Self {
            created_at: at("createdAt"),
            connected_at: at("connectivityAt"),
            pull_started_at: at("pullStartedAt"),
            pull_stopped_at: at("pullStoppedAt"),
            started_at: at("startedAt"),
            stopping_at: at("stoppingAt"),
            execution_stopped_at: at("executionStoppedAt"),
            stopped_at: at("stoppedAt"),
        }
    }
}

/// The overrides that RunTask was given. They are kept as text, which takes a fraction of the memory of a [`Value`]: a
/// thousand tasks are kept that have stopped.
#[derive(Clone, Deserialize)]
#[serde(from = "Value")]
pub(super) struct OverridesText(Box<str>);

impl OverridesText {
    pub(super) fn value(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    fn without_values(&self) -> Value {
        let mut overrides = self.value();
        let containers = overrides.get_mut("containerOverrides").and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            let environment = container.get_mut("environment").and_then(Value::as_array_mut);
            for pair in environment.into_iter().flatten().filter_map(Value::as_object_mut) {
                pair.remove("value");
            }
        }
        overrides
    }
}

impl From<Value> for OverridesText {
    fn from(overrides: Value) -> Self {
        Self(overrides.to_string().into())
    }
}

impl Serialize for OverridesText {
    /// Writes them as JSON, not as text, and without the values of the environment: those do not rest.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.without_values().serialize(serializer)
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct ContainerState {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    pub(super) essential: bool,
    pub(super) status: ContainerStatus,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ContainerStatus {
    Pending,
    Running,
    Stopped,
}

impl ContainerStatus {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

impl Task {
    pub(super) fn arn(&self) -> String {
        wire::task_arn(&self.cluster, &self.id)
    }

    pub(super) fn desired_status(&self) -> &'static str {
        if self.stop.is_some() { "STOPPED" } else { "RUNNING" }
    }

    pub(super) fn attachment_status(&self) -> &'static str {
        match self.status {
            Status::Provisioning => "PRECREATED",
            Status::Pending if self.address.is_none() => "ATTACHING",
            Status::Stopped => "DELETED",
            _ => "ATTACHED",
        }
    }

    /// Wishes the task to stop; the first wish counts.
    pub(super) fn stop(&mut self, code: StopCode, reason: &str, now: Timestamp) -> bool {
        if self.stop.is_some() {
            return false;
        }
        self.stop = Some(Stopped { code, reason: reason.to_owned() });
        self.times.stopping_at = Some(now);
        self.order(Order::Stop);
        true
    }

    /// Raises what the actor is told; says nothing twice.
    pub(super) fn order(&self, order: Order) {
        self.orders.send_if_modified(|current| {
            let raised = *current < order;
            *current = order.max(*current);
            raised
        });
    }

    /// Moves on to a later state. A task that is to stop enters none of those on the way to RUNNING.
    pub(super) fn enter(&mut self, status: Status, now: Timestamp) -> bool {
        if status <= self.status || (self.stop.is_some() && status <= Status::Running) {
            return false;
        }
        self.status = status;
        match status {
            Status::Activating => {
                self.times.connected_at = Some(now);
                self.times.pull_started_at = Some(now);
            }
            Status::Deprovisioning => self.end_execution(now),
            Status::Stopped => self.times.stopped_at = Some(now),
            _ => {}
        }
        true
    }

    /// The engine has started every container. A task that was seen running before does not change.
    pub(super) fn run(&mut self, address: IpAddr, now: Timestamp) -> bool {
        if self.status >= Status::Running {
            return false;
        }
        self.address = Some(address);
        self.times.pull_stopped_at = Some(now);
        for container in &mut self.containers {
            container.status = ContainerStatus::Running;
        }
        if self.enter(Status::Running, now) {
            self.times.started_at = Some(now);
        }
        true
    }

    pub(super) fn fail_to_start(&mut self, error: &StartError, now: Timestamp) -> bool {
        self.times.pull_stopped_at = Some(now);
        if !self.stop(StopCode::TaskFailedToStart, &error.reason, now) {
            return false;
        }
        let failed = |container: &&mut ContainerState| error.container.as_ref() == Some(&container.name);
        if let Some(container) = self.containers.iter_mut().find(failed) {
            container.reason = Some(error.reason.clone());
        }
        true
    }

    /// The program was started again and found nothing of the task.
    pub(super) fn vanish(&mut self, error: &StartError, now: Timestamp) -> bool {
        if self.status < Status::Running {
            return self.fail_to_start(error, now);
        }
        self.stop(StopCode::ServiceSchedulerInitiated, &error.reason, now)
    }

    /// A container has ended; with an essential one the task is to stop.
    pub(super) fn exited(&mut self, exit: &Exit, now: Timestamp) -> bool {
        let running = |container: &&mut ContainerState| {
            container.name == exit.container && container.status != ContainerStatus::Stopped
        };
        let Some(container) = self.containers.iter_mut().find(running) else {
            return false;
        };
        container.status = ContainerStatus::Stopped;
        container.exit_code = Some(exit.code);
        container.reason.clone_from(&exit.reason);
        if container.essential {
            self.stop(StopCode::EssentialContainerExited, "Essential container in task exited", now);
        }
        true
    }

    fn end_execution(&mut self, now: Timestamp) {
        self.times.execution_stopped_at = Some(now);
        for container in &mut self.containers {
            container.status = ContainerStatus::Stopped;
        }
    }
}
