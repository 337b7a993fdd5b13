//! DELETE /v1/sandboxes/{id}, which is what the SDKs send to kill, and POST /v1/sandboxes/{id}/kill (seeds/003).

use axum::{Extension, Json, extract::State};
use modbox_control::{Api, Ended};
use modbox_sandbox::SandboxId;
use serde::Serialize;

use super::wire::Answered;
use crate::{auth::ApiKey, error::ApiError, path::ById, request_id::RequestId};

#[derive(Serialize)]
pub(super) struct Gone {
    id: String,
    status: &'static str,
}

/// Deletes a sandbox: what runs in it is asked to end first. One that is over already is not found.
pub(super) async fn delete(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<Gone>>, ApiError> {
    let id = ended(api.destroy(&caller.user, &selector).await?)?;
    Ok(Json(Answered { body: Gone { id: id.to_string(), status: "deleted" }, request_id }))
}

/// Kills a sandbox: nothing in it is asked. One that is over already is not found.
pub(super) async fn kill(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<Gone>>, ApiError> {
    let id = ended(api.kill(&caller.user, &selector).await?)?;
    Ok(Json(Answered { body: Gone { id: id.to_string(), status: "killed" }, request_id }))
}

fn ended(ended: Ended) -> Result<SandboxId, ApiError> {
    if ended.by_this { Ok(ended.row.sandbox.id) } else { Err(ApiError::not_found()) }
}
