//! PUT /v1/sandboxes/{id}/timeout.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use modbox_control::{Api, Error};
use modbox_sandbox::Deadline;
use serde::{Deserialize, Serialize};

use super::wire::{Answered, timeout_seconds};
use crate::{
    auth::ApiKey,
    body::{Body, Checks, integer},
    error::ApiError,
    moment::iso,
    path::ById,
    request_id::RequestId,
};

/// Seconds.
pub(super) const TIMEOUT: (u32, u32) = (1, 86_400);

#[derive(Deserialize)]
pub(super) struct TimeoutRequest {
    #[serde(default, deserialize_with = "integer")]
    timeout_seconds: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct TimeoutBody {
    id: String,
    timeout_seconds: Option<u64>,
    expires_at: Option<String>,
}

/// Moves the deadline to so many seconds from now, later or earlier.
pub(super) async fn set_timeout(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
    Body(request): Body<TimeoutRequest>,
) -> Result<Json<Answered<TimeoutBody>>, ApiError> {
    let mut checks = Checks::default();
    if request.timeout_seconds.is_none() {
        checks.fault("timeout_seconds", "is required", "missing");
    }
    let seconds = checks.in_range("timeout_seconds", request.timeout_seconds, TIMEOUT).unwrap_or_default();
    checks.done()?;
    let to = Deadline::In(Duration::from_secs(seconds.into()));
    let sandbox = match api.extend(&caller.user, &selector, to).await {
        Ok(row) => row.sandbox,
        // One that is over is not found, in whatever way it is asked for.
        Err(Error::Refused(refusal)) if !refusal.state.is_live() => return Err(ApiError::not_found()),
        Err(error) => return Err(error.into()),
    };
    let body = TimeoutBody {
        id: sandbox.id.to_string(),
        timeout_seconds: timeout_seconds(&sandbox),
        expires_at: sandbox.expires_at.map(iso),
    };
    Ok(Json(Answered { body, request_id }))
}
