//! GET /sandboxes/status/{task_id}, GET /sandboxes/{sandbox_id}/status: answered from the row.

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::{Status, UserId};

use super::{
    refusals::{Guarded, NotFound},
    wire::{StatusResponse, reason},
};
use crate::{
    auth::Caller,
    error::ApiError,
    path::{Sandbox, TaskId},
};

/// Tells whether the sandbox of that name is ready.
#[utoipa::path(
    get, path = "/sandboxes/status/{task_id}", operation_id = "get_sandbox_status", tag = "sandboxes",
    params(TaskId),
    responses((status = 200, description = "whether it runs", body = StatusResponse), Guarded, NotFound),
)]
pub(super) async fn status_by_name(
    State(api): State<Api>,
    Caller(owner): Caller,
    TaskId(selector): TaskId,
) -> Result<Json<StatusResponse>, ApiError> {
    answer(&api, &owner, &selector).await
}

/// Tells whether the sandbox is ready.
#[utoipa::path(
    get, path = "/sandboxes/{sandbox_id}/status", operation_id = "get_sandbox_status_canonical", tag = "sandboxes",
    params(Sandbox),
    responses((status = 200, description = "whether it runs", body = StatusResponse), Guarded, NotFound),
)]
pub(super) async fn status(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<StatusResponse>, ApiError> {
    answer(&api, &owner, &selector).await
}

async fn answer(api: &Api, owner: &UserId, selector: &Selector) -> Result<Json<StatusResponse>, ApiError> {
    let sandbox = api.get(owner, selector).await?.sandbox;
    let now = api.now();
    Ok(Json(StatusResponse {
        ready: sandbox.status(now) == Status::Running,
        name: sandbox.name.to_string(),
        error: reason(&sandbox, now),
    }))
}
