//! What goes over the wire (reference: a.2, schemas).

use std::collections::BTreeMap;

use modbox_sandbox::{EndReason, Sandbox, Status, Timestamp, contract};
use serde::Serialize;
use time::{OffsetDateTime, macros::format_description};

#[derive(Serialize)]
pub(super) struct ProvisionResponse {
    pub(super) success: bool,
    pub(super) sandbox_id: String,
    pub(super) status: &'static str,
    pub(super) sandbox_url: Option<String>,
    pub(super) error: Option<String>,
    pub(super) endpoint: Endpoint,
    pub(super) capabilities: BTreeMap<&'static str, String>,
    pub(super) expires_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Endpoint {
    pub(super) base_url: String,
    pub(super) api_url: String,
    pub(super) access_token: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WaitResponse {
    pub(super) ready: bool,
    pub(super) elapsed_seconds: f64,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct StatusResponse {
    pub(super) ready: bool,
    pub(super) name: String,
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct DestroyResponse {
    pub(super) success: bool,
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxListItem {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) image: String,
    pub(super) sandbox_url: Option<String>,
    pub(super) created_at: String,
    pub(super) destroyed_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxDetail {
    #[serde(flatten)]
    pub(super) item: SandboxListItem,
    pub(super) created_by: String,
    pub(super) updated_at: String,
    pub(super) expires_at: Option<String>,
    pub(super) capabilities: Option<BTreeMap<&'static str, String>>,
    /// Ours: why it ended.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxListResponse {
    pub(super) sandboxes: Vec<SandboxListItem>,
    /// How many there are in this answer.
    pub(super) total: usize,
    /// Ours: where to go on; null when nothing follows.
    pub(super) next_cursor: Option<String>,
}

impl SandboxListItem {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let status = sandbox.status(now);
        Self {
            id: sandbox.id.to_string(),
            name: sandbox.name.to_string(),
            status: status_word(status),
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
    BTreeMap::from([("exec", format!("{}/exec", api_url(sandbox)))])
}

/// The base of the runtime's own API.
pub(super) fn api_url(sandbox: &Sandbox) -> String {
    format!("{}/modbox/api", sandbox.spec.url)
}

pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Provisioning => "provisioning",
        Status::Running => "running",
        Status::Destroyed => "destroyed",
    }
}

/// Why it is over, in words; nothing while it lives.
pub(super) fn reason(sandbox: &Sandbox, now: Timestamp) -> Option<String> {
    Some(match sandbox.end(now)?.reason {
        EndReason::Requested => "destroyed".to_owned(),
        EndReason::Killed => "killed".to_owned(),
        EndReason::Expired => "expired".to_owned(),
        EndReason::Failed { message } => format!("failed: {message}"),
        EndReason::Exited { code: Some(code) } => format!("exited with code {code}"),
        EndReason::Exited { code: None } => "exited".to_owned(),
        EndReason::Lost => "lost: ECS does not know its task any more".to_owned(),
    })
}

/// ISO 8601 in UTC, always with three digits of milliseconds: then the order of the texts is that of the moments.
pub(super) fn iso(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_default()
}
