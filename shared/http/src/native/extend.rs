//! POST /sandboxes/{sandbox_id}/extend: ours.

use std::time::Duration;

use axum::{Json, extract::State};
use modbox_control::Api;
use modbox_sandbox::Deadline;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    provision::TTL,
    refusals::{BadBody, Guarded, NotFound},
    wire::SandboxDetail,
};
use crate::{
    auth::Caller,
    body::{Body, Checks, integer},
    error::ApiError,
    path::Sandbox,
};

/// A new deadline.
#[derive(Deserialize, ToSchema)]
pub(super) struct ExtendRequest {
    /// In how many seconds from now the sandbox ends by itself.
    #[schema(required = true, value_type = i64, minimum = 60, maximum = 86400)]
    #[serde(default, deserialize_with = "integer")]
    ttl_seconds: Option<i64>,
}

/// Moves the sandbox's deadline to that many seconds from now, later or earlier.
///
/// An extension of ours. A sandbox that had no deadline has one from then on. In the last 5 seconds before the deadline it is
/// too late for a later one.
#[utoipa::path(
    post, path = "/sandboxes/{sandbox_id}/extend", operation_id = "extend_sandbox", tag = "sandboxes",
    params(Sandbox),
    request_body = ExtendRequest,
    responses(
        (status = 200, description = "the sandbox with its new deadline", body = SandboxDetail),
        (
            status = 409, body = super::envelope::ErrorResponse,
            description = "`conflict`: the sandbox is over, or ends within 5 seconds",
        ),
        Guarded, NotFound, BadBody,
    ),
)]
pub(super) async fn extend(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
    Body(request): Body<ExtendRequest>,
) -> Result<Json<SandboxDetail>, ApiError> {
    let mut checks = Checks::default();
    if request.ttl_seconds.is_none() {
        checks.fault("ttl_seconds", "is required", "missing");
    }
    let ttl = checks.in_range("ttl_seconds", request.ttl_seconds, TTL).unwrap_or_default();
    checks.done()?;
    let to = Deadline::In(Duration::from_secs(ttl.into()));
    let row = api.extend(&owner, &selector, to).await?;
    Ok(Json(SandboxDetail::new(&row.sandbox, api.now())))
}
