//! POST /sandboxes/{sandbox}/extend: ours.

use std::time::Duration;

use axum::{Json, extract::State};
use modbox_control::Api;
use serde::Deserialize;

use super::{
    body::{Body, Checks},
    provision::TTL,
    wire::SandboxDetail,
};
use crate::{auth::Caller, error::ApiError, path::Sandbox};

#[derive(Deserialize)]
pub(super) struct ExtendRequest {
    ttl_seconds: Option<i64>,
}

/// Moves the deadline to that many seconds from now.
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
