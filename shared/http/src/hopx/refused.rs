//! POST /v1/sandboxes/{id}/pause, resume, stop and start: all promise a disk that is kept.

use axum::{extract::State, http::StatusCode};
use modbox_control::Api;

use crate::{auth::ApiKey, error::ApiError, path::ById};

const WHY: &str = "This deployment runs sandboxes as Fargate tasks, which do not keep their disk, so a sandbox can be \
                   neither paused nor stopped and then go on. Delete it, and create another.";

/// Refuses, of a sandbox that is there.
pub(super) async fn refuse(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
) -> Result<(), ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    if row.sandbox.is_over(api.now()) {
        return Err(ApiError::not_found());
    }
    Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", WHY))
}
