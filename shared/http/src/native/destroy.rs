//! POST /sandboxes/destroy, DELETE /sandboxes/{sandbox_id}.

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    refusals::{BadBody, Guarded, NotFound},
    wait::named,
    wire::DestroyResponse,
};
use crate::{
    auth::Caller,
    body::{Body, Checks},
    error::ApiError,
    path::Sandbox,
};

/// Which sandbox to destroy.
#[derive(Deserialize, ToSchema)]
pub(super) struct DestroyRequest {
    /// The name given at its creation.
    #[schema(
        required = true, value_type = String,
        min_length = 1, max_length = 255, pattern = r"^[^/\u0000-\u001f\u007f-\u009f]+$"
    )]
    task_id: Option<String>,
}

/// Destroys the sandbox of that name.
///
/// The answer comes at once: from then on the sandbox is destroyed for every reader and its name is free, while its
/// task is being stopped. Again is fine: if it is over already, nothing changes.
#[utoipa::path(
    post, path = "/sandboxes/destroy", operation_id = "destroy_sandbox", tag = "sandboxes",
    request_body = DestroyRequest,
    responses(
        (status = 200, description = "it is over", body = DestroyResponse),
        Guarded, NotFound, BadBody,
    ),
)]
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

/// Destroys the sandbox.
///
/// The answer comes at once: from then on the sandbox is destroyed for every reader and its name is free, while its
/// task is being stopped. Again is fine: if it is over already, nothing changes.
#[utoipa::path(
    delete, path = "/sandboxes/{sandbox_id}", operation_id = "delete_sandbox", tag = "sandboxes",
    params(Sandbox),
    responses(
        (status = 200, description = "it is over", body = DestroyResponse),
        Guarded, NotFound,
    ),
)]
pub(super) async fn destroy(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<DestroyResponse>, ApiError> {
    api.destroy(&owner, &selector).await?;
    Ok(Json(DestroyResponse { success: true, error: None }))
}
