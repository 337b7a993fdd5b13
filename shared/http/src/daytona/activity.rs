//! POST /sandbox/{sandboxIdOrName}/last-activity.

use axum::{extract::State, http::StatusCode};
use modbox_control::Api;

use super::{caller::Member, state::SandboxState};
use crate::{error::ApiError, path::IdOrName};

/// Hears that a sandbox is in use. Nothing follows from it: no sandbox here ends for being idle.
pub(super) async fn touch(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<StatusCode, ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    SandboxState::new(&row.sandbox, api.now()).must_live()?;
    Ok(StatusCode::CREATED)
}
