//! GET /v1/sandboxes/{id}.

use axum::{Extension, Json, extract::State};
use modbox_control::Api;

use super::wire::{Answered, SandboxBody};
use crate::{auth::ApiKey, error::ApiError, path::ById, request_id::RequestId};

/// Shows a sandbox, without the token of its runtime.
pub(super) async fn get(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<SandboxBody>>, ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    Ok(Json(Answered { body: SandboxBody::new(&api, &row.sandbox)?, request_id }))
}
