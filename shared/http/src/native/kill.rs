//! POST /sandboxes/{sandbox_id}/kill: ours.

use axum::{Json, extract::State};
use modbox_control::Api;

use super::{
    refusals::{Guarded, NotFound},
    wire::DestroyResponse,
};
use crate::{auth::Caller, error::ApiError, path::Sandbox};

/// Destroys the sandbox, with `killed` as the reason.
///
/// An extension of ours; otherwise the same as to destroy it.
#[utoipa::path(
    post, path = "/sandboxes/{sandbox_id}/kill", operation_id = "kill_sandbox", tag = "sandboxes",
    params(Sandbox),
    responses(
        (status = 200, description = "it is over", body = DestroyResponse),
        Guarded, NotFound,
    ),
)]
pub(super) async fn kill(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<DestroyResponse>, ApiError> {
    api.kill(&owner, &selector).await?;
    Ok(Json(DestroyResponse { success: true, error: None }))
}
