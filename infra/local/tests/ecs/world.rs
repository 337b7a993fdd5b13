use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use modbox_local::{
    aws_json::AwsError,
    ecs::{Ecs, Launch, Settings, simulated::Script, simulated::Simulated},
};
use modbox_sandbox::{Clock, Ids, Timestamp};
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

/// What `deadline`, `main` and `ready` are called in the definition that every world has.
pub(crate) const FAMILY: &str = "sandbox";

/// The wall clock as tokio's paused time sees it.
#[derive(Debug)]
struct TokioClock {
    start: Instant,
    ahead: Duration,
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000) + self.ahead + self.start.elapsed()
    }
}

#[derive(Debug, Default)]
struct Counter(AtomicU64);

impl Ids for Counter {
    fn random(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) << 64 | 0xfeed
    }
}

pub(crate) struct World {
    pub(crate) ecs: Ecs,
    pub(crate) engine: Simulated,
    events: mpsc::UnboundedReceiver<Value>,
}

impl World {
    /// A world whose tasks do as they are told.
    pub(crate) async fn new() -> Self {
        Self::of(|_| Script::default()).await
    }

    /// A world whose tasks follow these scripts; its one task definition is registered.
    pub(crate) async fn of(script: impl Fn(&Launch) -> Script + Send + Sync + 'static) -> Self {
        let world = Self::later(Simulated::new(script), Duration::ZERO);
        world.ok("RegisterTaskDefinition", definition(FAMILY)).await;
        world
    }

    /// An ECS that knows nothing yet, with a clock that is that much ahead.
    pub(crate) fn later(engine: Simulated, ahead: Duration) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let clock = Arc::new(TokioClock { start: Instant::now(), ahead });
        let sources = (clock as Arc<dyn Clock>, Arc::new(Counter::default()) as Arc<dyn Ids>);
        let ecs = Ecs::new(Settings::default(), Arc::new(engine.clone()), sources, sender);
        Self { ecs, engine, events }
    }

    pub(crate) async fn ok(&self, operation: &str, body: Value) -> Value {
        self.ecs.call(operation, body).await.unwrap()
    }

    pub(crate) async fn refused(&self, operation: &str, body: Value) -> AwsError {
        self.ecs.call(operation, body).await.unwrap_err()
    }

    /// Runs one task; gives its ARN.
    pub(crate) async fn run(&self) -> String {
        self.run_with(json!({})).await
    }

    pub(crate) async fn run_with(&self, members: Value) -> String {
        let answer = self.ok("RunTask", run_body(members)).await;
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn stop(&self, arn: &str) -> Value {
        let body = json!({ "task": arn, "reason": "not wanted" });
        self.ok("StopTask", body).await["task"].take()
    }

    pub(crate) async fn describe(&self, arn: &str) -> Value {
        self.ok("DescribeTasks", json!({ "tasks": [arn] })).await["tasks"][0].take()
    }

    /// Waits until the task has this status, an hour of its own time at most.
    pub(crate) async fn until(&self, arn: &str, status: &str) -> Value {
        for _ in 0..3_600_000 {
            let task = self.describe(arn).await;
            if task["lastStatus"] == status {
                return task;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{arn} never became {status}");
    }

    /// The events since the last call.
    pub(crate) fn events(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

pub(crate) fn definition(family: &str) -> Value {
    json!({
        "family": family,
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            { "name": "main", "image": "modbox/sandbox", "stopTimeout": 2,
              "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "1" }] },
            { "name": "deadline", "image": "modbox/sidecar", "stopTimeout": 2, "command": ["deadline"] },
            { "name": "ready", "image": "modbox/sidecar", "stopTimeout": 2, "essential": false },
        ],
    })
}

/// A RunTask of the world's task definition, with more members or others.
pub(crate) fn run_body(members: Value) -> Value {
    let subnets = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
    let mut body = json!({ "taskDefinition": FAMILY, "networkConfiguration": subnets });
    let Value::Object(members) = members else {
        panic!("members are an object");
    };
    body.as_object_mut().unwrap().extend(members);
    body
}

pub(crate) fn container<'a>(task: &'a Value, name: &str) -> &'a Value {
    let containers = task["containers"].as_array().unwrap();
    containers.iter().find(|container| container["name"] == name).unwrap()
}

/// One member of each event's task.
pub(crate) fn each(events: &[Value], member: &str) -> Vec<String> {
    let text = |event: &Value| match &event["detail"][member] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    events.iter().map(text).collect()
}
