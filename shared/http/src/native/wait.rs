//! POST /sandboxes/wait, POST /sandboxes/{sandbox}/wait.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::{Name, Status, UserId};
use serde::Deserialize;

use super::{
    body::{Body, Checks},
    wire::{WaitResponse, reason, status_word},
};
use crate::{MaxWait, auth::Caller, error::ApiError, path::Sandbox};

/// Seconds.
const TIMEOUT: (u32, u32) = (1, 600);
const DEFAULT_TIMEOUT: u32 = 120;
const POLL: (u32, u32) = (1, 60);

#[derive(Deserialize)]
pub(super) struct WaitRequest {
    task_id: Option<String>,
    timeout: Option<i64>,
    poll_interval: Option<i64>,
}

/// Waits for the sandbox of that name.
pub(super) async fn wait_by_name(
    State(api): State<Api>,
    Caller(owner): Caller,
    max: Option<Extension<MaxWait>>,
    Body(request): Body<WaitRequest>,
) -> Result<Json<WaitResponse>, ApiError> {
    let mut checks = Checks::default();
    let name = named(&mut checks, request.task_id.clone());
    let timeout = request.timeout(&mut checks);
    checks.done()?;
    let selector = Selector::Name(name.ok_or_else(ApiError::not_found)?);
    answer(&api, &owner, &selector, capped(timeout, max)).await
}

/// Waits for the sandbox of that id.
pub(super) async fn wait(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
    max: Option<Extension<MaxWait>>,
    Body(request): Body<WaitRequest>,
) -> Result<Json<WaitResponse>, ApiError> {
    let mut checks = Checks::default();
    let timeout = request.timeout(&mut checks);
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

impl WaitRequest {
    /// How long to wait. `poll_interval` is checked and changes nothing: the row is read at least each second.
    fn timeout(&self, checks: &mut Checks) -> Duration {
        checks.in_range("poll_interval", self.poll_interval, POLL);
        let timeout = checks.in_range("timeout", self.timeout, TIMEOUT).unwrap_or(DEFAULT_TIMEOUT);
        Duration::from_secs(timeout.into())
    }
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
        status: status_word(waited.status),
        reason: match waited.status {
            Status::Running => None,
            Status::Provisioning => Some("timeout".to_owned()),
            Status::Destroyed => reason(&waited.row.sandbox, api.now()),
        },
    }))
}
