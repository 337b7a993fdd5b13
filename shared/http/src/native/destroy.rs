//! POST /sandboxes/destroy, DELETE /sandboxes/{sandbox}.

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use serde::Deserialize;

use super::{
    body::{Body, Checks},
    wait::named,
    wire::DestroyResponse,
};
use crate::{auth::Caller, error::ApiError, path::Sandbox};

#[derive(Deserialize)]
pub(super) struct DestroyRequest {
    task_id: Option<String>,
}

/// Destroys the sandbox of that name; the newest, if it is over already.
pub(super) async fn destroy_by_name(
    State(api): State<Api>,
    Caller(owner): Caller,
    Body(request): Body<DestroyRequest>,
) -> Result<Json<DestroyResponse>, ApiError> {
    let mut checks = Checks::default();
    let name = named(&mut checks, request.task_id);
    checks.done()?;
    let selector = Selector::Name(name.ok_or_else(ApiError::not_found)?);
    api.destroy(&owner, &selector).await?;
    Ok(Json(DestroyResponse { success: true, error: None }))
}

/// Destroys the sandbox of that id.
pub(super) async fn destroy(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<DestroyResponse>, ApiError> {
    api.destroy(&owner, &selector).await?;
    Ok(Json(DestroyResponse { success: true, error: None }))
}
