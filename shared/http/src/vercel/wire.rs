//! What goes over the wire (seeds/004, and the schemas of the vendor's SDKs). Times are milliseconds.

use std::{collections::BTreeMap, time::Duration};

use modbox_control::Api;
use modbox_sandbox::{EndReason, Labels, Sandbox, State, Status, Timestamp};
use serde::Serialize;

use crate::{body::Checks, error::ApiError, shown::CPUS};

/// The most tags that a sandbox may have.
const MAX_TAGS: usize = 5;
/// What is said of a sandbox without a deadline, made at another door, where a number must be: a hundred years.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
/// The folder that commands start in, whatever its path is in the image.
const CWD: &str = ".";

/// Where a sandbox is in its life: that of its one session, whatever ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum SandboxStatus {
    Pending,
    Running,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum SessionStatus {
    Pending,
    Running,
    Stopped,
    Failed,
    Aborted,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SandboxBody {
    name: String,
    current_session_id: String,
    status: SandboxStatus,
    status_updated_at: i64,
    persistent: bool,
    region: String,
    vcpus: u32,
    memory: u32,
    image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    network_policy: NetworkPolicy,
    cwd: &'static str,
    tags: BTreeMap<String, String>,
    created_at: i64,
    updated_at: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    id: String,
    source_sandbox_name: String,
    status: SessionStatus,
    region: String,
    vcpus: u32,
    memory: u32,
    timeout: u64,
    network_policy: NetworkPolicy,
    cwd: &'static str,
    requested_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested_stop_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aborted_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
}

/// Nothing is kept from any network.
#[derive(Serialize)]
struct NetworkPolicy {
    mode: &'static str,
}

/// A sandbox with its session. No ports of it are exposed, so there are no routes.
#[derive(Serialize)]
pub(super) struct Whole {
    pub(super) sandbox: SandboxBody,
    session: Session,
    routes: [(); 0],
}

#[derive(Serialize)]
pub(super) struct Pagination {
    /// How many there are on this page.
    pub(super) count: usize,
    /// Always there, also when it is null.
    pub(super) next: Option<String>,
}

impl SandboxBody {
    pub(super) fn new(api: &Api, sandbox: &Sandbox) -> Self {
        let now = api.now();
        Self {
            name: sandbox.name.to_string(),
            current_session_id: sandbox.id.to_string(),
            status: status(sandbox, now),
            status_updated_at: status_updated_at(sandbox, now).millis(),
            persistent: false,
            region: api.deployment().region.clone(),
            vcpus: CPUS,
            memory: sandbox.spec.memory_mb,
            image: sandbox.spec.image.clone(),
            timeout: timeout(sandbox).map(millis),
            expires_at: sandbox.expires_at.map(Timestamp::millis),
            network_policy: NetworkPolicy { mode: "allow-all" },
            cwd: CWD,
            tags: sandbox.labels.as_map().clone(),
            created_at: sandbox.created_at.millis(),
            updated_at: sandbox.updated_at.millis(),
        }
    }
}

impl Session {
    pub(super) fn new(api: &Api, sandbox: &Sandbox) -> Self {
        let now = api.now();
        let status = session_status(sandbox, now);
        let end = sandbox.end(now);
        let ended_at = end.as_ref().map(|end| end.at.millis());
        Self {
            id: sandbox.id.to_string(),
            source_sandbox_name: sandbox.name.to_string(),
            status,
            region: api.deployment().region.clone(),
            vcpus: CPUS,
            memory: sandbox.spec.memory_mb,
            timeout: millis(timeout(sandbox).unwrap_or(FOREVER)),
            network_policy: NetworkPolicy { mode: "allow-all" },
            cwd: CWD,
            requested_at: sandbox.created_at.millis(),
            requested_stop_at: end.as_ref().filter(|end| end.by.is_some()).map(|end| end.at.millis()),
            stopped_at: ended_at.filter(|_| status != SessionStatus::Aborted),
            aborted_at: ended_at.filter(|_| status == SessionStatus::Aborted),
            created_at: sandbox.created_at.millis(),
            updated_at: sandbox.updated_at.millis(),
        }
    }
}

impl Whole {
    pub(super) fn new(api: &Api, sandbox: &Sandbox) -> Self {
        Self { sandbox: SandboxBody::new(api, sandbox), session: Session::new(api, sandbox), routes: [] }
    }
}

/// One that was deleted is not found; one that has only stopped is still there.
pub(super) fn present(sandbox: &Sandbox) -> Result<(), ApiError> {
    if sandbox.is_dismissed() { Err(ApiError::not_found()) } else { Ok(()) }
}

/// Tags, as they come in a request.
pub(super) fn labels(checks: &mut Checks, tags: Option<BTreeMap<String, String>>) -> Option<Labels> {
    let tags = tags?;
    if tags.len() > MAX_TAGS {
        checks.fault("tags", format!("must be at most {MAX_TAGS}"), "too_long");
        return None;
    }
    Labels::new(tags).map_err(|error| checks.fault("tags", error.to_string(), "value_error")).ok()
}

/// When its status was last another one.
pub(super) fn status_updated_at(sandbox: &Sandbox, now: Timestamp) -> Timestamp {
    match (&sandbox.state, sandbox.end(now)) {
        (_, Some(end)) => end.at,
        (State::Running(running), None) => running.ready_at,
        (State::Provisioning(_) | State::Destroying(_) | State::Destroyed(_), None) => sandbox.created_at,
    }
}

fn status(sandbox: &Sandbox, now: Timestamp) -> SandboxStatus {
    match sandbox.status(now) {
        Status::Provisioning => SandboxStatus::Pending,
        Status::Running => SandboxStatus::Running,
        Status::Destroyed => SandboxStatus::Stopped,
    }
}

fn session_status(sandbox: &Sandbox, now: Timestamp) -> SessionStatus {
    match sandbox.end(now).map(|end| end.reason) {
        None => match status(sandbox, now) {
            SandboxStatus::Pending => SessionStatus::Pending,
            SandboxStatus::Running => SessionStatus::Running,
            SandboxStatus::Stopped => SessionStatus::Stopped,
        },
        Some(EndReason::Requested | EndReason::Stopped | EndReason::Expired | EndReason::Exited { .. }) => {
            SessionStatus::Stopped
        }
        Some(EndReason::Killed) => SessionStatus::Aborted,
        Some(EndReason::Failed { .. } | EndReason::Lost) => SessionStatus::Failed,
    }
}

/// How long after its creation it is to end.
fn timeout(sandbox: &Sandbox) -> Option<Duration> {
    sandbox.expires_at.map(|at| at.since(sandbox.created_at))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
