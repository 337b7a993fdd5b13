//! POST /sandbox/{sandboxIdOrName}/start, pause, resume, recover, archive, fork and snapshot: all promise a disk that is kept.

use axum::{extract::State, http::StatusCode};
use modbox_control::Api;

use super::{caller::Member, state::SandboxState};
use crate::{error::ApiError, path::IdOrName};

const WHY: &str = "This deployment runs sandboxes as Fargate tasks, which do not keep their disk, so a sandbox can neither \
                   rest and then go on nor be copied. Delete it, and create another.";

/// Refuses, of a sandbox that is there.
pub(super) async fn refuse(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<(), ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    SandboxState::new(&row.sandbox, api.now()).must_be_there()?;
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", WHY))
}
