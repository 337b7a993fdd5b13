//! GET /sandbox/{sandboxIdOrName}.

use axum::{Json, extract::State};
use modbox_control::Api;

use super::{caller::Member, state::SandboxState, wire::SandboxBody};
use crate::{error::ApiError, path::IdOrName};

/// Shows a sandbox; not found is one that is over and whose task has ended, unless it failed.
pub(super) async fn get(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<Json<SandboxBody>, ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    match SandboxState::new(&row.sandbox, api.now()) {
        SandboxState::Destroyed => Err(ApiError::not_found()),
        state => Ok(Json(SandboxBody::in_state(&api, &caller, &row.sandbox, state))),
    }
}
