//! A stand-in for Amazon ECS: the operations that the control plane uses, with ECS's states, rules and refusals.
//!
//! It differs from ECS in what one machine cannot have: there is one account and one region, capacity is not
//! limited, and RunTask calls are not limited beside the tasks that they launch (ECS allows 20 calls a second, which
//! a burst of 100 tasks by one call each would exceed). Of stopped tasks it describes the newest thousand, for an
//! hour. What it knows from an earlier run of the program ([`Ecs::resume`]) it knows without the values of the
//! environment, which DescribeTasks then shows by name only.

mod definitions;
mod engine;
mod events;
mod lifecycle;
mod memory;
mod rates;
mod resume;
mod run_task;
pub mod simulated;
mod task;
mod task_definitions;
mod tasks;
mod tokens;
mod wire;
mod world;

use std::{fmt, sync::Arc, time::Duration};

pub use engine::{
    Cancelled, Container, Engine, Exit, Handle, Launch, Reading, Said, StartError, Starting, Stop,
};
pub use memory::{Memory, MemoryError};
use modbox_sandbox::{Clock, Ids};
use serde_json::{Value, json};
pub use task::StopCode;
use tokio::{sync::mpsc, time::timeout};

use self::{task::Order, world::Shared};
use crate::aws_json::{Answer, AwsError};

/// The stand-in. Clones are the same one.
///
/// Each task is driven by a tokio task of its own, on the runtime that calls RunTask.
#[derive(Clone)]
pub struct Ecs {
    shared: Arc<Shared>,
}

impl fmt::Debug for Ecs {
    /// Shows no task: their overrides hold what must not be logged.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ecs").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// How a stand-in differs from another.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one cluster there is, meant also where a call names none.
    pub cluster: String,
    pub timings: Timings,
    /// How many tasks may be launched at once.
    pub launch_burst: u32,
    /// How fast that comes back, at most 1000.
    pub launches_per_second: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            cluster: "modbox".to_owned(),
            timings: Timings::LOCAL,
            launch_burst: 100,
            launches_per_second: 20,
        }
    }
}

/// The least time that a task spends in each state that it does not stay in.
///
/// ACTIVATING lasts until the engine has started the containers, STOPPING until none of them is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    pub provisioning: Duration,
    pub pending: Duration,
    pub activating: Duration,
    pub deactivating: Duration,
    pub stopping: Duration,
    pub deprovisioning: Duration,
}

impl Timings {
    /// Enough for each state to be seen, too little to wait for.
    pub const LOCAL: Self = Self::each(Duration::from_millis(15));

    /// The same time in every state.
    pub const fn each(time: Duration) -> Self {
        Self {
            provisioning: time,
            pending: time,
            activating: time,
            deactivating: time,
            stopping: time,
            deprovisioning: time,
        }
    }
}

impl Ecs {
    /// An ECS without tasks. Each change of a task is sent to `events` as the event that EventBridge would deliver,
    /// once and in order. It is over with the program, unless it is to [`resume`](Self::resume).
    pub fn new(
        settings: Settings,
        engine: Arc<dyn Engine>,
        sources: (Arc<dyn Clock>, Arc<dyn Ids>),
        events: mpsc::UnboundedSender<Value>,
    ) -> Self {
        let shared = Arc::new(Shared::new(settings, engine, sources, events));
        Self { shared }
    }

    /// Performs an operation, named as in `X-Amz-Target` behind the dot. It never waits for a task.
    pub async fn call(&self, operation: &str, body: Value) -> Answer {
        let shared = &self.shared;
        match operation {
            "RunTask" => run_task::run(shared, body),
            "StopTask" => tasks::stop(shared, body),
            "DescribeTasks" => tasks::describe(shared, body),
            "ListTasks" => tasks::list(shared, body),
            "RegisterTaskDefinition" => task_definitions::register(shared, body),
            "DescribeTaskDefinition" => task_definitions::describe(shared, body),
            "DeregisterTaskDefinition" => task_definitions::deregister(shared, body),
            "ListClusters" => Ok(json!({"clusterArns": [wire::cluster_arn(&shared.settings.cluster)]})),
            _ => Err(AwsError::unknown_operation(operation)),
        }
    }

    /// Stops every task and accepts no further one; resolves when all are STOPPED and their events were sent.
    ///
    /// Tasks that are still there after `within` are ended by force.
    pub async fn stop_all(&self, reason: &str, within: Duration) {
        let mut live = self.shared.live.subscribe();
        for key in self.close() {
            self.shared.change(key, |task, now| task.stop(StopCode::ServiceSchedulerInitiated, reason, now));
        }
        let stopped = live.wait_for(|live| *live == 0);
        if timeout(within, stopped).await.is_ok() {
            return;
        }
        self.force();
        // The sender is in `self`, so the channel is open.
        let _ = live.wait_for(|live| *live == 0).await;
    }

    fn force(&self) {
        let world = self.shared.world();
        world.tasks.after(0).for_each(|(_, task)| task.order(Order::StopByForce));
    }

    fn close(&self) -> Vec<u64> {
        let mut world = self.shared.world();
        world.closed = true;
        world.tasks.after(0).map(|(key, _)| key).collect()
    }
}

impl Shared {
    /// The cluster that a call means.
    fn cluster(&self, named: Option<&str>) -> Result<String, AwsError> {
        let cluster = &self.settings.cluster;
        match named {
            Some(named) if wire::cluster_name(named) != cluster => {
                Err(AwsError::client("ClusterNotFoundException", "Cluster not found."))
            }
            _ => Ok(cluster.clone()),
        }
    }
}
