//! DELETE /v2/sandboxes/{name} (seeds/004), and POST /v2/sandboxes/sessions/{session_id}/stop.

use axum::{Json, extract::State};
use modbox_control::Api;
use serde::Serialize;

use super::{
    member::Member,
    wire::{SandboxBody, Session, present},
};
use crate::{
    error::ApiError,
    path::{ById, TaskId},
};

#[derive(Serialize)]
pub(super) struct Deleted {
    sandbox: SandboxBody,
}

#[derive(Serialize)]
pub(super) struct Stopped {
    session: Session,
    sandbox: SandboxBody,
}

/// Deletes a sandbox, and stops it first if it runs. One that was deleted already is not found.
pub(super) async fn delete(
    State(api): State<Api>,
    Member(caller): Member,
    TaskId(selector): TaskId,
) -> Result<Json<Deleted>, ApiError> {
    let ended = api.destroy(&caller.user, &selector).await?;
    if !ended.by_this {
        return Err(ApiError::not_found());
    }
    Ok(Json(Deleted { sandbox: SandboxBody::new(&api, &ended.row.sandbox) }))
}

/// Stops a sandbox, for good. Again is fine, until it is deleted.
pub(super) async fn stop(
    State(api): State<Api>,
    Member(caller): Member,
    ById(selector): ById,
) -> Result<Json<Stopped>, ApiError> {
    let sandbox = api.stop(&caller.user, &selector).await?.sandbox;
    present(&sandbox)?;
    Ok(Json(Stopped { session: Session::new(&api, &sandbox), sandbox: SandboxBody::new(&api, &sandbox) }))
}
