//! What goes over the wire (reference: a.2, schemas).

use std::collections::BTreeMap;

use modbox_control::{Line, Monitored, Sample};
use modbox_sandbox::{Sandbox, Status, Timestamp, contract};
use serde::Serialize;
use utoipa::ToSchema;

use crate::moment::iso;

/// Where a sandbox is in its life. One that failed, expired or ended by itself is destroyed too.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SandboxStatusEnum {
    Provisioning,
    Running,
    Destroyed,
}

/// An accepted sandbox, before it runs.
#[derive(Serialize, ToSchema)]
pub(super) struct ProvisionResponse {
    /// Always true: what is refused is answered with an error.
    pub(super) success: bool,
    /// The sandbox's id.
    #[schema(format = "uuid")]
    pub(super) sandbox_id: String,
    /// Always `provisioning`, also when an Idempotency-Key is used again.
    pub(super) status: SandboxStatusEnum,
    /// Null: the sandbox does not run yet. `endpoint.base_url` is where it will be.
    #[schema(required = true, format = "uri")]
    pub(super) sandbox_url: Option<String>,
    /// Null: what is refused is answered with an error.
    #[schema(required = true)]
    pub(super) error: Option<String>,
    pub(super) endpoint: SandboxEndpoint,
    /// Absolute URLs by the name of what answers there: `exec`, `files`. Empty for images that are not built in.
    pub(super) capabilities: BTreeMap<&'static str, String>,
    /// When it ends by itself; null if never.
    #[schema(required = true, format = "date-time")]
    pub(super) expires_at: Option<String>,
}

/// Where the sandbox answers once it runs.
#[derive(Serialize, ToSchema)]
pub(super) struct SandboxEndpoint {
    /// The sandbox itself.
    #[schema(format = "uri")]
    pub(super) base_url: String,
    /// The base of its runtime's own API.
    #[schema(format = "uri")]
    pub(super) api_url: String,
    /// The Bearer token of its runtime; told here alone. It is the caller's `SANDBOX_API_KEY` where there is one.
    pub(super) access_token: String,
}

/// What has become of a sandbox that was waited for.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WaitResponse {
    /// Whether it runs.
    pub(super) ready: bool,
    /// How long this request waited, in seconds.
    #[schema(minimum = 0)]
    pub(super) elapsed_seconds: f64,
    pub(super) status: SandboxStatusEnum,
    /// Why it is not ready: `timeout`, or why it is over, as in `SandboxDetail`. Null if it is ready.
    #[schema(required = true)]
    pub(super) reason: Option<String>,
}

/// Whether a sandbox is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatusResponse {
    /// Whether it runs.
    pub(super) ready: bool,
    /// Its `task_id`.
    pub(super) name: String,
    /// Why it is over, as `reason` in `SandboxDetail`; null while it lives.
    #[schema(required = true)]
    pub(super) error: Option<String>,
}

/// The sandbox is over for every caller, and its task is being stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DestroyResponse {
    /// Always true: nothing can bring the sandbox back.
    pub(super) success: bool,
    /// Null: what is refused is answered with an error.
    #[schema(required = true)]
    pub(super) error: Option<String>,
}

/// A sandbox in a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxListItem {
    #[schema(format = "uuid")]
    pub(super) id: String,
    /// Its `task_id`.
    pub(super) name: String,
    pub(super) status: SandboxStatusEnum,
    /// Its container image, as asked for, or the default.
    pub(super) image: String,
    /// Where it answers; null unless it runs.
    #[schema(required = true, format = "uri")]
    pub(super) sandbox_url: Option<String>,
    #[schema(format = "date-time")]
    pub(super) created_at: String,
    /// When it was over for its caller; null while it lives.
    #[schema(required = true, format = "date-time")]
    pub(super) destroyed_at: Option<String>,
}

/// Everything about a sandbox but its secrets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxDetail {
    #[serde(flatten)]
    pub(super) item: SandboxListItem,
    /// The id of the user who created it.
    pub(super) created_by: String,
    #[schema(format = "date-time")]
    pub(super) updated_at: String,
    /// When it ends by itself; null if never.
    #[schema(required = true, format = "date-time")]
    pub(super) expires_at: Option<String>,
    /// Absolute URLs by the name of what answers there: `exec`, `files`. Null unless it runs.
    #[schema(required = true)]
    pub(super) capabilities: Option<BTreeMap<&'static str, String>>,
    /// Why it is over: `destroyed`, `killed`, `expired`, `exited with code N`, `failed: …` or `lost: …`. Null while
    /// it lives.
    #[schema(required = true)]
    pub(super) reason: Option<String>,
}

/// Sandboxes, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxListResponse {
    pub(super) sandboxes: Vec<SandboxListItem>,
    /// How many there are in this answer.
    pub(super) total: usize,
    /// Ours: where to go on; null when nothing follows.
    pub(super) next_cursor: Option<String>,
}

/// What a sandbox has said and used, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxObservabilityResponse {
    #[schema(format = "uuid")]
    pub(super) sandbox_id: String,
    pub(super) sandbox_name: String,
    pub(super) logs: Vec<SandboxLogEntry>,
    pub(super) metrics: Vec<SandboxMetricPoint>,
}

/// What a sandbox said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxLogEntry {
    #[schema(format = "date-time")]
    pub(super) timestamp: String,
    /// Always `stdout`: what a task says is kept as one stream.
    pub(super) stream: &'static str,
    /// One line, without its end.
    pub(super) log: String,
}

/// What a sandbox had used by then.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SandboxMetricPoint {
    #[schema(format = "date-time")]
    pub(super) timestamp: String,
    /// Of all processors since the start, in seconds.
    pub(super) cpu_usage: f64,
    /// In bytes.
    pub(super) memory_usage: u64,
}

impl SandboxObservabilityResponse {
    pub(super) fn new(monitored: Monitored) -> Self {
        let log = |line: Line| SandboxLogEntry { timestamp: iso(line.at), stream: "stdout", log: line.text };
        let metric = |sample: Sample| SandboxMetricPoint {
            timestamp: iso(sample.at),
            cpu_usage: sample.cpu_seconds,
            memory_usage: sample.memory_bytes,
        };
        Self {
            sandbox_id: monitored.sandbox.id.to_string(),
            sandbox_name: monitored.sandbox.name.to_string(),
            logs: monitored.logs.into_iter().map(log).collect(),
            metrics: monitored.metrics.into_iter().map(metric).collect(),
        }
    }
}

impl SandboxListItem {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let status = sandbox.status(now);
        Self {
            id: sandbox.id.to_string(),
            name: sandbox.name.to_string(),
            status: status.into(),
            image: sandbox.spec.image.clone(),
            sandbox_url: (status == Status::Running).then(|| sandbox.spec.url.clone()),
            created_at: iso(sandbox.created_at),
            destroyed_at: sandbox.end(now).map(|end| iso(end.at)),
        }
    }
}

impl SandboxDetail {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let running = sandbox.status(now) == Status::Running;
        Self {
            item: SandboxListItem::new(sandbox, now),
            created_by: sandbox.owner.to_string(),
            updated_at: iso(sandbox.updated_at),
            expires_at: sandbox.expires_at.map(iso),
            capabilities: running.then(|| capabilities(sandbox)),
            reason: reason(sandbox, now),
        }
    }
}

/// What answers under which address. An image of the caller's own has none that we know of.
pub(super) fn capabilities(sandbox: &Sandbox) -> BTreeMap<&'static str, String> {
    if !contract::is_built_in(&sandbox.spec.image) {
        return BTreeMap::new();
    }
    let api = api_url(sandbox);
    BTreeMap::from([("exec", format!("{api}/exec")), ("files", format!("{api}/files"))])
}

/// The base of the runtime's own API.
pub(super) fn api_url(sandbox: &Sandbox) -> String {
    format!("{}/modbox/api", sandbox.spec.url)
}

impl From<Status> for SandboxStatusEnum {
    fn from(status: Status) -> Self {
        match status {
            Status::Provisioning => Self::Provisioning,
            Status::Running => Self::Running,
            Status::Destroyed => Self::Destroyed,
        }
    }
}

/// Why it is over, in words; nothing while it lives.
pub(super) fn reason(sandbox: &Sandbox, now: Timestamp) -> Option<String> {
    sandbox.end(now).map(|end| end.reason.to_string())
}
