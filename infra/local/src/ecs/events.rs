use modbox_sandbox::{SandboxId, Timestamp};
use serde_json::{Value, json};

use super::{
    task::Task,
    wire::{self, Moments},
};

/// The event that EventBridge delivers when a task changes.
pub(super) fn task_state_change(task: &Task, random: u128, now: Timestamp) -> Value {
    json!({
        "version": "0",
        "id": uuid(random),
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": wire::ACCOUNT,
        "time": wire::iso(now),
        "region": wire::REGION,
        "resources": [task.arn()],
        "detail": detail(task, now),
    })
}

fn detail(task: &Task, now: Timestamp) -> Value {
    let mut detail = wire::task(task, Moments::Iso);
    if let Some(detail) = detail.as_object_mut() {
        // Documented: health is not in the events.
        for container in detail.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            container.as_object_mut().map(|container| container.remove("healthStatus"));
        }
        detail.insert("updatedAt".to_owned(), Moments::Iso.write(now));
    }
    detail
}

/// The text of a version 4 UUID of these bits.
pub(super) fn uuid(random: u128) -> String {
    SandboxId::from_random(random).to_string()
}
