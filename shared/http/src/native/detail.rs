//! GET /sandboxes/detail/{sandbox}, GET /sandboxes/{sandbox}.

use axum::{Json, extract::State};
use modbox_control::Api;

use super::wire::SandboxDetail;
use crate::{auth::Caller, error::ApiError, path::Sandbox};

pub(super) async fn detail(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
) -> Result<Json<SandboxDetail>, ApiError> {
    let row = api.get(&owner, &selector).await?;
    Ok(Json(SandboxDetail::new(&row.sandbox, api.now())))
}
