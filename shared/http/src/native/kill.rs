//! POST /sandboxes/{sandbox}/kill: ours.

use axum::{Json, extract::State};
use modbox_control::Api;

use super::wire::DestroyResponse;
use crate::{auth::Caller, error::ApiError, path::Sandbox};

pub(super) async fn kill(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<DestroyResponse>, ApiError> {
    api.kill(&owner, &selector).await?;
    Ok(Json(DestroyResponse { success: true, error: None }))
}
