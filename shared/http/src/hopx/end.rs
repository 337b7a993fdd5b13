//! DELETE /v1/sandboxes/{id}, which is what the SDKs send to kill, and POST /v1/sandboxes/{id}/kill (seeds/003).

use axum::{Extension, Json, extract::State};
use modbox_control::{Api, Ended, Row, Selector};
use modbox_sandbox::{SandboxId, UserId};
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
    let row = found(&api, &caller.user, &selector).await?;
    let id = ended(api.destroy_found(row).await?)?;
    Ok(Json(Answered { body: Gone { id: id.to_string(), status: "deleted" }, request_id }))
}

/// Kills a sandbox: nothing in it is asked. One that is over already is not found.
pub(super) async fn kill(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<Gone>>, ApiError> {
    let row = found(&api, &caller.user, &selector).await?;
    let id = ended(api.kill_found(row).await?)?;
    Ok(Json(Answered { body: Gone { id: id.to_string(), status: "killed" }, request_id }))
}

/// The sandbox, if it is not over; one that is stays as it is, for the doors that still show it.
async fn found(api: &Api, owner: &UserId, selector: &Selector) -> Result<Row, ApiError> {
    let row = api.get(owner, selector).await?;
    if row.sandbox.is_over(api.now()) { Err(ApiError::not_found()) } else { Ok(row) }
}

fn ended(ended: Ended) -> Result<SandboxId, ApiError> {
    if ended.by_this { Ok(ended.row.sandbox.id) } else { Err(ApiError::not_found()) }
}
