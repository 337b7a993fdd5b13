//! GET /sandboxes/detail/{sandbox_id}, GET /sandboxes/{sandbox_id}.

use axum::{Json, extract::State};
use modbox_control::{Api, Selector};
use modbox_sandbox::UserId;

use super::{
    refusals::{Guarded, NotFound},
    wire::SandboxDetail,
};
use crate::{auth::Caller, error::ApiError, path::Sandbox};

/// Shows one sandbox, also after its end.
///
/// The read is consistent: what an earlier answer has told is never taken back.
#[utoipa::path(
    get, path = "/sandboxes/detail/{sandbox_id}", operation_id = "get_sandbox", tag = "sandboxes",
    params(Sandbox),
    responses((status = 200, description = "the sandbox", body = SandboxDetail), Guarded, NotFound),
)]
pub(super) async fn detail(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<SandboxDetail>, ApiError> {
    answer(&api, &owner, &selector).await
}

/// Shows one sandbox, also after its end.
///
/// The read is consistent: what an earlier answer has told is never taken back.
#[utoipa::path(
    get, path = "/sandboxes/{sandbox_id}", operation_id = "get_sandbox_canonical", tag = "sandboxes",
    params(Sandbox),
    responses((status = 200, description = "the sandbox", body = SandboxDetail), Guarded, NotFound),
)]
pub(super) async fn get(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<SandboxDetail>, ApiError> {
    answer(&api, &owner, &selector).await
}

async fn answer(api: &Api, owner: &UserId, selector: &Selector) -> Result<Json<SandboxDetail>, ApiError> {
    let row = api.get(owner, selector).await?;
    Ok(Json(SandboxDetail::new(&row.sandbox, api.now())))
}
