//! GET /sandboxes/status/{task_id}, GET /sandboxes/{sandbox}/status: answered from the row.

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::{Status, UserId};

use super::wire::{StatusResponse, reason};
use crate::{
    auth::Caller,
    error::ApiError,
    path::{Sandbox, TaskId},
};

pub(super) async fn status_by_name(
    State(api): State<Api>,
    Caller(owner): Caller,
    TaskId(selector): TaskId,
) -> Result<Json<StatusResponse>, ApiError> {
    answer(&api, &owner, &selector).await
}

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
