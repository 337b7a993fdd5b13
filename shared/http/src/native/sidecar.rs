//! What the sidecars of a task ask and tell, with the task's own token.

use axum::{Json, extract::State};
use modbox_control::{Api, Error};
use modbox_sandbox::Timestamp;
use serde_json::{Value, json};

use super::wire::iso;
use crate::{auth::TaskToken, error::ApiError, path::Id};

/// GET /sandboxes/{sandbox}/deadline: when it ends as of now, in the past if it has ended, null if never.
pub(super) async fn deadline(
    State(api): State<Api>,
    TaskToken(token): TaskToken,
    Id(id): Id,
) -> Result<Json<Value>, ApiError> {
    let at = api.deadline(id, &token).await?;
    Ok(Json(json!({"expires_at": at.map(iso), "expires_at_unix_ms": at.map(Timestamp::millis)})))
}

/// POST /sandboxes/{sandbox}/ready: the readiness port answers. 409 while the task is not recorded: try again.
pub(super) async fn ready(
    State(api): State<Api>,
    TaskToken(token): TaskToken,
    Id(id): Id,
) -> Result<Json<Value>, ApiError> {
    match api.ready(id, &token).await {
        Ok(()) => Ok(Json(json!({"ready": true}))),
        Err(Error::Refused(_)) => Err(ApiError::new(
            axum::http::StatusCode::CONFLICT,
            "sandbox_not_ready",
            "the sandbox's task is not recorded yet, or the sandbox is over",
        )),
        Err(error) => Err(error.into()),
    }
}
