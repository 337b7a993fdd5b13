use modbox_sandbox::{SandboxId, Timestamp};
use serde_json::{Value, json};

use super::{
    task::Task,
    wire::{self, Moments},
};
use crate::event::Event;

/// The event that EventBridge delivers when a task changes.
pub(super) fn task_state_change(task: &Task, random: u128, now: Timestamp) -> Value {
    let event = Event {
        id: uuid(random),
        source: "aws.ecs".to_owned(),
        detail_type: "ECS Task State Change".to_owned(),
        at: now,
        resources: json!([task.arn()]),
        detail: detail(task, now),
    };
    event.into_value()
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
