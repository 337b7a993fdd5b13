//! What ECS says of a task, by answer or by event, in the domain's words.

use aws_sdk_ecs::types::Task;
use modbox_sandbox::{EndReason, Incarnation, SandboxId, TaskArn, TaskPhase, TaskSeen, Timestamp, contract};
use serde_json::Value;

/// A task as ECS described it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub arn: TaskArn,
    pub version: u64,
    pub created_at: Option<Timestamp>,
    started_by: String,
    group: String,
    last_status: String,
    stop_code: String,
    stopped_reason: String,
    containers: Vec<Container>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Container {
    name: String,
    exit_code: Option<i32>,
    reason: Option<String>,
}

/// A task of one of this deployment's sandboxes, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    pub id: SandboxId,
    pub seen: TaskSeen,
    pub created_at: Option<Timestamp>,
}

/// The `group` of a task: which incarnation it runs. ECS repeats it in answers and events.
pub(super) fn group(incarnation: Incarnation) -> String {
    format!("incarnation:{incarnation}")
}

impl Observed {
    pub(super) fn of_task(task: &Task) -> Self {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        Self {
            arn: TaskArn::new(text(task.task_arn())),
            version: u64::try_from(task.version()).unwrap_or(0),
            created_at: task.created_at().and_then(|at| at.to_millis().ok()).map(Timestamp::from_millis),
            started_by: text(task.started_by()),
            group: text(task.group()),
            last_status: text(task.last_status()),
            stop_code: text(task.stop_code().map(aws_sdk_ecs::types::TaskStopCode::as_str)),
            stopped_reason: text(task.stopped_reason()),
            containers: task
                .containers()
                .iter()
                .map(|container| Container {
                    name: text(container.name()),
                    exit_code: container.exit_code(),
                    reason: container.reason().map(ToOwned::to_owned),
                })
                .collect(),
        }
    }

    /// Reads the `detail` of an ECS Task State Change event, lenient about all that is not needed.
    pub fn of_event(detail: &Value) -> Option<Self> {
        let text = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let containers = detail.get("containers").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            arn: TaskArn::new(detail.get("taskArn")?.as_str()?),
            version: detail.get("version")?.as_u64()?,
            created_at: None,
            started_by: text("startedBy"),
            group: text("group"),
            last_status: detail.get("lastStatus")?.as_str()?.to_owned(),
            stop_code: text("stopCode"),
            stopped_reason: text("stoppedReason"),
            containers: containers
                .filter_map(|container| {
                    Some(Container {
                        name: container.get("name")?.as_str()?.to_owned(),
                        exit_code: container
                            .get("exitCode")
                            .and_then(Value::as_i64)
                            .and_then(|c| c.try_into().ok()),
                        reason: container.get("reason").and_then(Value::as_str).map(ToOwned::to_owned),
                    })
                })
                .collect(),
        })
    }

    /// Whose task it is, if one of the deployment `stack`'s sandboxes.
    pub fn sighting(&self, stack: &str) -> Option<Sighting> {
        let id =
            self.started_by.strip_prefix("modbox/")?.strip_prefix(stack)?.strip_prefix('/')?.parse().ok()?;
        let incarnation = self.group.strip_prefix("incarnation:")?.parse().ok()?;
        let seen =
            TaskSeen { incarnation, arn: self.arn.clone(), version: self.version, phase: self.phase() };
        Some(Sighting { id, seen, created_at: self.created_at })
    }

    /// The phase in the domain's words (task lifecycle of the ECS developer guide).
    pub(super) fn phase(&self) -> TaskPhase {
        match self.last_status.as_str() {
            "RUNNING" if self.exit_code(contract::READY) == Some(0) => TaskPhase::Ready,
            "RUNNING" => TaskPhase::Running,
            "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" => TaskPhase::Stopping,
            "STOPPED" | "DELETED" => TaskPhase::Stopped(self.end_reason()),
            _ => TaskPhase::Starting,
        }
    }

    fn exit_code(&self, container: &str) -> Option<i32> {
        self.containers.iter().find(|known| known.name == container)?.exit_code
    }

    /// Why it stopped, told by which container ended, with which code.
    fn end_reason(&self) -> EndReason {
        if self.exit_code(contract::DEADLINE) == Some(contract::EXPIRED_EXIT_CODE) {
            return EndReason::Expired;
        }
        if self.stop_code == "EssentialContainerExited" {
            return EndReason::Exited { code: self.exit_code(contract::MAIN) };
        }
        let reasons = self.containers.iter().filter_map(|container| container.reason.as_deref());
        let mut message = self.stopped_reason.clone();
        for reason in reasons.filter(|reason| !self.stopped_reason.contains(reason)) {
            message = if message.is_empty() { reason.to_owned() } else { format!("{message}: {reason}") };
        }
        EndReason::Failed { message: if message.is_empty() { self.stop_code.clone() } else { message } }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "6eb3e809-8b94-45e6-b0d8-2a85a73e012c";

    fn event(status: &str, stop_code: &str, containers: &Value) -> Value {
        json!({
            "taskArn": "arn:aws:ecs:us-east-1:000000000000:task/modbox/1",
            "lastStatus": status,
            "version": 7,
            "startedBy": format!("modbox/prod/{ID}"),
            "group": "incarnation:1",
            "stopCode": stop_code,
            "stoppedReason": "why",
            "containers": containers,
            "a field of the future": {"is": "ignored"},
        })
    }

    fn phase(status: &str, stop_code: &str, containers: &Value) -> TaskPhase {
        Observed::of_event(&event(status, stop_code, containers)).unwrap().phase()
    }

    #[test]
    fn only_a_task_of_this_deployment_is_a_sighting() {
        let observed = Observed::of_event(&event("RUNNING", "", &json!([]))).unwrap();
        let sighting = observed.sighting("prod").unwrap();
        assert_eq!(sighting.id.to_string(), ID);
        assert_eq!(sighting.seen.version, 7);
        assert_eq!(observed.sighting("pro"), None);
        assert_eq!(observed.sighting("prod/x"), None);
        for (field, value) in
            [("startedBy", "ecs-svc/1"), ("group", "service:web"), ("startedBy", "modbox/prod/x")]
        {
            let mut foreign = event("RUNNING", "", &json!([]));
            foreign[field] = json!(value);
            assert_eq!(Observed::of_event(&foreign).unwrap().sighting("prod"), None, "{field}");
        }
    }

    #[test]
    fn an_event_without_what_is_needed_is_none() {
        for field in ["taskArn", "lastStatus", "version"] {
            let mut damaged = event("RUNNING", "", &json!([]));
            damaged.as_object_mut().unwrap().remove(field);
            assert_eq!(Observed::of_event(&damaged), None, "{field}");
        }
        assert_eq!(Observed::of_event(&json!("nonsense")), None);
    }

    #[test]
    fn a_running_task_is_ready_once_its_ready_container_exited_0() {
        assert_eq!(phase("RUNNING", "", &json!([])), TaskPhase::Running);
        assert_eq!(phase("RUNNING", "", &json!([{"name": "ready", "exitCode": 0}])), TaskPhase::Ready);
        assert_eq!(phase("RUNNING", "", &json!([{"name": "ready", "exitCode": 1}])), TaskPhase::Running);
        assert_eq!(phase("PENDING", "", &json!([{"name": "ready", "exitCode": 0}])), TaskPhase::Starting);
    }

    #[test]
    fn expired_and_exited_are_told_apart_by_container_and_code() {
        let exits = |main, deadline| json!([{"name": "main", "exitCode": main}, {"name": "deadline", "exitCode": deadline}]);
        let ended = |main, deadline| phase("STOPPED", "EssentialContainerExited", &exits(main, deadline));
        assert_eq!(ended(143, 124), TaskPhase::Stopped(EndReason::Expired));
        assert_eq!(ended(3, 143), TaskPhase::Stopped(EndReason::Exited { code: Some(3) }));
        assert_eq!(ended(0, 0), TaskPhase::Stopped(EndReason::Exited { code: Some(0) }));
    }

    #[test]
    fn a_task_that_failed_to_start_says_why_in_ecs_own_words() {
        let containers = json!([{"name": "main", "reason": "CannotPullContainerError: no such image"}]);
        let reason = EndReason::Failed { message: "why: CannotPullContainerError: no such image".to_owned() };
        assert_eq!(phase("STOPPED", "TaskFailedToStart", &containers), TaskPhase::Stopped(reason));
    }
}
