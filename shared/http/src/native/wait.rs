//! POST /sandboxes/wait, POST /sandboxes/{sandbox_id}/wait.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::{Name, Status, UserId};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    refusals::{BadBody, Guarded, NotFound},
    wire::{WaitResponse, reason},
};
use crate::{
    MaxWait,
    auth::Caller,
    body::{Body, Checks, integer},
    error::ApiError,
    path::Sandbox,
};

/// Seconds.
const TIMEOUT: (u32, u32) = (1, 600);
const DEFAULT_TIMEOUT: u32 = 120;
const POLL: (u32, u32) = (1, 60);

/// For which sandbox to wait, and how long.
#[derive(Deserialize, ToSchema)]
pub(super) struct WaitRequest {
    /// The name given at its creation.
    #[schema(
        required = true, value_type = String,
        min_length = 1, max_length = 255, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$"
    )]
    task_id: Option<String>,
    /// The longest to wait, in seconds; 120 if absent.
    #[schema(minimum = 1, maximum = 600)]
    #[serde(default, deserialize_with = "integer")]
    timeout: Option<i64>,
    /// In seconds; checked, and without effect: the sandbox is looked at each second or more often.
    #[schema(minimum = 1, maximum = 60)]
    #[serde(default, deserialize_with = "integer")]
    poll_interval: Option<i64>,
}

/// How long to wait.
#[derive(Deserialize, ToSchema)]
pub(super) struct CanonicalWaitRequest {
    /// The longest to wait, in seconds; 120 if absent.
    #[schema(minimum = 1, maximum = 600)]
    #[serde(default, deserialize_with = "integer")]
    timeout: Option<i64>,
    /// In seconds; checked, and without effect: the sandbox is looked at each second or more often.
    #[schema(minimum = 1, maximum = 60)]
    #[serde(default, deserialize_with = "integer")]
    poll_interval: Option<i64>,
}

/// Waits until the sandbox of that name runs or is over.
///
/// When the time is up it answers 200 with `ready` false and the reason `timeout`: wait again. Behind API Gateway a
/// wait ends after 28 seconds, whatever `timeout` says.
#[utoipa::path(
    post, path = "/sandboxes/wait", operation_id = "wait_for_sandbox", tag = "sandboxes",
    request_body = WaitRequest,
    responses(
        (status = 200, description = "it runs, it is over, or the time is up", body = WaitResponse),
        Guarded, NotFound, BadBody,
    ),
)]
pub(super) async fn wait_by_name(
    State(api): State<Api>,
    Caller(owner): Caller,
    max: Option<Extension<MaxWait>>,
    Body(request): Body<WaitRequest>,
) -> Result<Json<WaitResponse>, ApiError> {
    let mut checks = Checks::default();
    let name = named(&mut checks, request.task_id);
    let timeout = timeout(&mut checks, request.timeout, request.poll_interval);
    checks.done()?;
    let selector = Selector::Name(name.ok_or_else(ApiError::not_found)?);
    answer(&api, &owner, &selector, capped(timeout, max)).await
}

/// Waits until the sandbox runs or is over.
///
/// When the time is up it answers 200 with `ready` false and the reason `timeout`: wait again. Behind API Gateway a
/// wait ends after 28 seconds, whatever `timeout` says.
#[utoipa::path(
    post, path = "/sandboxes/{sandbox_id}/wait", operation_id = "wait_for_sandbox_canonical", tag = "sandboxes",
    params(Sandbox),
    request_body = Option<CanonicalWaitRequest>,
    responses(
        (status = 200, description = "it runs, it is over, or the time is up", body = WaitResponse),
        Guarded, NotFound, BadBody,
    ),
)]
pub(super) async fn wait(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
    max: Option<Extension<MaxWait>>,
    Body(request): Body<CanonicalWaitRequest>,
) -> Result<Json<WaitResponse>, ApiError> {
    let mut checks = Checks::default();
    let timeout = timeout(&mut checks, request.timeout, request.poll_interval);
    checks.done()?;
    answer(&api, &owner, &selector, capped(timeout, max)).await
}

/// The required `task_id` of a body.
pub(super) fn named(checks: &mut Checks, task_id: Option<String>) -> Option<Name> {
    let Some(task_id) = task_id else {
        checks.fault("task_id", "is required", "missing");
        return None;
    };
    Name::new(task_id).map_err(|error| checks.fault("task_id", error.to_string(), "value_error")).ok()
}

fn capped(timeout: Duration, max: Option<Extension<MaxWait>>) -> Duration {
    max.map_or(timeout, |Extension(MaxWait(max))| timeout.min(max))
}

/// How long to wait. `poll_interval` is checked and changes nothing: the row is read at least each second.
fn timeout(checks: &mut Checks, timeout: Option<i64>, poll_interval: Option<i64>) -> Duration {
    checks.in_range("poll_interval", poll_interval, POLL);
    let timeout = checks.in_range("timeout", timeout, TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
    Duration::from_secs(timeout.into())
}

async fn answer(
    api: &Api,
    owner: &UserId,
    selector: &Selector,
    timeout: Duration,
) -> Result<Json<WaitResponse>, ApiError> {
    let waited = api.wait(owner, selector, timeout).await?;
    Ok(Json(WaitResponse {
        ready: waited.status == Status::Running,
        elapsed_seconds: waited.elapsed.as_secs_f64(),
        status: waited.status.into(),
        reason: match waited.status {
            Status::Running => None,
            Status::Provisioning => Some("timeout".to_owned()),
            Status::Destroyed => reason(&waited.row.sandbox, api.now()),
        },
    }))
}
