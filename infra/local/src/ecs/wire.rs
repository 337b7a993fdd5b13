//! The shapes of ECS's API: ARNs, tasks, errors.

use modbox_sandbox::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::task::{ContainerState, Task};
use crate::aws_json::{AwsError, REGION};

pub(super) const CALLER_ARN: &str = "arn:aws:iam::000000000000:root";
pub(super) const DEFINITION_ARN_PREFIX: &str = "arn:aws:ecs:us-east-1:000000000000:task-definition/";
const ARN_PREFIX: &str = "arn:aws:ecs:us-east-1:000000000000:";

pub(super) fn task_arn(cluster: &str, id: &str) -> String {
    format!("{ARN_PREFIX}task/{cluster}/{id}")
}

pub(super) fn definition_arn(family: &str, revision: usize) -> String {
    format!("{DEFINITION_ARN_PREFIX}{family}:{revision}")
}

pub(super) fn cluster_arn(cluster: &str) -> String {
    format!("{ARN_PREFIX}cluster/{cluster}")
}

/// The name in a cluster's name or ARN.
pub(super) fn cluster_name(reference: &str) -> &str {
    let prefix = concat!("arn:aws:ecs:us-east-1:000000000000:", "cluster/");
    reference.strip_prefix(prefix).unwrap_or(reference)
}

/// Reads the members of a request; ECS ignores those that it does not know.
pub(super) fn input<T: DeserializeOwned>(body: Value) -> Result<T, AwsError> {
    let body = if body.is_null() { json!({}) } else { body };
    serde_json::from_value(body).map_err(|error| malformed(&error.to_string()))
}

pub(super) fn malformed(message: &str) -> AwsError {
    AwsError::client("SerializationException", message)
}

pub(super) fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::client("InvalidParameterException", message)
}

/// ECS cannot at the moment; the same call may succeed later.
pub(super) fn unavailable(message: impl Into<String>) -> AwsError {
    AwsError { status: 500, ..AwsError::client("ServerException", message) }
}

/// How timestamps are written: the API and the events differ.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moments {
    /// Seconds since the epoch, with a fraction: the API.
    Epoch,
    /// RFC 3339: the events.
    Iso,
}

impl Moments {
    pub(super) fn write(self, at: Timestamp) -> Value {
        match self {
            #[expect(
                clippy::cast_precision_loss,
                reason = "milliseconds since the epoch fit 53 bits for 285,000 years"
            )]
            Self::Epoch => json!(at.millis() as f64 / 1000.0),
            Self::Iso => json!(iso(at)),
        }
    }
}

/// Writes a moment as events do, in UTC with milliseconds.
pub(super) fn iso(at: Timestamp) -> String {
    let nanos = i128::from(at.millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// A task as DescribeTasks and the events show it.
pub(super) fn task(task: &Task, moments: Moments) -> Value {
    let arn = task.arn();
    let containers: Vec<Value> = task.containers.iter().map(|each| container(task, each)).collect();
    let mut shape = Map::new();
    let mut put = |key: &str, value: Value| shape.insert(key.to_owned(), value);
    put("attachments", json!([attachment(task)]));
    put("attributes", json!([{"name": "ecs.cpu-architecture", "value": "x86_64"}]));
    put("availabilityZone", json!(format!("{REGION}a")));
    put("clusterArn", json!(cluster_arn(&task.cluster)));
    put("containers", json!(containers));
    put("desiredStatus", json!(task.desired_status()));
    put("enableExecuteCommand", json!(task.request.enable_execute_command));
    put("group", json!(task.request.group));
    put("lastStatus", json!(task.status.as_str()));
    put("launchType", json!(task.request.launch_type));
    put("overrides", task.request.overrides.value());
    put("platformVersion", json!("1.4.0"));
    put("platformFamily", json!("Linux"));
    put("taskArn", json!(arn));
    put("taskDefinitionArn", json!(task.definition.arn));
    put("version", json!(task.version));
    let texts = [
        ("cpu", &task.request.cpu),
        ("memory", &task.request.memory),
        ("startedBy", &task.request.started_by),
    ];
    for (key, text) in texts {
        text.as_ref().map(|text| put(key, json!(text)));
    }
    if let Some(stopped) = &task.stop {
        put("stopCode", json!(stopped.code.as_str()));
        put("stoppedReason", json!(stopped.reason));
    }
    if task.times.connected_at.is_some() {
        put("connectivity", json!("CONNECTED"));
    }
    for (key, at) in task.times.named() {
        at.map(|at| put(key, moments.write(at)));
    }
    Value::Object(shape)
}

fn container(task: &Task, container: &ContainerState) -> Value {
    let mut shape = Map::new();
    let mut put = |key: &str, value: Value| shape.insert(key.to_owned(), value);
    put("containerArn", json!(container_arn(task, container)));
    put("taskArn", json!(task.arn()));
    put("name", json!(container.name));
    put("image", json!(container.image));
    put("lastStatus", json!(container.status.as_str()));
    put("healthStatus", json!("UNKNOWN"));
    put("cpu", json!("0"));
    let interfaces = task.address.map(
        |address| json!({ "attachmentId": task.attachment_id, "privateIpv4Address": address.to_string() }),
    );
    put("networkInterfaces", json!(interfaces.into_iter().collect::<Vec<_>>()));
    container.exit_code.map(|code| put("exitCode", json!(code)));
    container.reason.as_ref().map(|reason| put("reason", json!(reason)));
    Value::Object(shape)
}

fn container_arn(task: &Task, container: &ContainerState) -> String {
    format!("{ARN_PREFIX}container/{}/{}/{}", task.cluster, task.id, container.id)
}

fn attachment(task: &Task) -> Value {
    let details = task.address.map(|address| {
        json!([
            { "name": "subnetId", "value": "subnet-00000000000000000" },
            { "name": "privateIPv4Address", "value": address.to_string() },
        ])
    });
    json!({
        "id": task.attachment_id,
        "type": "ElasticNetworkInterface",
        "status": task.attachment_status(),
        "details": details.unwrap_or_else(|| json!([])),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_writes_seconds_and_the_events_rfc_3339() {
        let at = Timestamp::from_millis(1_800_000_000_123);
        assert_eq!(Moments::Epoch.write(at).to_string(), "1800000000.123");
        assert_eq!(Moments::Iso.write(at), json!("2027-01-15T08:00:00.123Z"));
    }
}
