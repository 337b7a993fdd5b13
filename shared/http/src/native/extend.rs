//! POST /sandboxes/{sandbox_id}/extend: ours.

use std::time::Duration;

use axum::{Json, extract::State};
use modbox_control::Api;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    body::{Body, Checks, integer},
    provision::TTL,
    refusals::{BadBody, Guarded, NotFound},
    wire::SandboxDetail,
};
use crate::{auth::Caller, error::ApiError, path::Sandbox};

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
/// An extension of ours. A sandbox that had no deadline has one from then on.
#[utoipa::path(
    post, path = "/sandboxes/{sandbox_id}/extend", operation_id = "extend_sandbox", tag = "sandboxes",
    params(Sandbox),
    request_body = ExtendRequest,
    responses(
        (status = 200, description = "the sandbox with its new deadline", body = SandboxDetail),
        (status = 409, description = "`conflict`: the sandbox is over", body = super::envelope::ErrorResponse),
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
    let row = api.extend(&owner, &selector, Duration::from_secs(ttl.into())).await?;
    Ok(Json(SandboxDetail::new(&row.sandbox, api.now())))
}
