//! What the sidecars of a task ask and tell, with the task's own token.

use axum::{Json, extract::State, http::StatusCode};
use modbox_control::{Api, Error};
use modbox_sandbox::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{envelope::ErrorResponse, refusals::Guarded};
use crate::{auth::TaskToken, error::ApiError, moment::iso, path::Id};

/// When a sandbox ends by itself, as of now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadlineResponse {
    /// In the past if it has ended; null if it never does.
    #[schema(required = true, format = "date-time")]
    expires_at: Option<String>,
    /// The same, in milliseconds since 1970-01-01 UTC.
    #[schema(required = true)]
    expires_at_unix_ms: Option<i64>,
}

/// The sandbox runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ReadyResponse {
    /// Always true.
    ready: bool,
}

/// Tells a task's sidecar when the sandbox ends.
#[utoipa::path(
    get, path = "/sandboxes/{sandbox_id}/deadline", operation_id = "get_deadline", tag = "tasks",
    params(Id),
    responses((status = 200, description = "its deadline", body = DeadlineResponse), Guarded),
    security(("taskToken" = [])),
)]
pub(super) async fn deadline(
    State(api): State<Api>,
    TaskToken(token): TaskToken,
    Id(id): Id,
) -> Result<Json<DeadlineResponse>, ApiError> {
    let at = api.deadline(id, &token).await?;
    Ok(Json(DeadlineResponse { expires_at: at.map(iso), expires_at_unix_ms: at.map(Timestamp::millis) }))
}

/// Hears from a task's sidecar that the readiness port answers.
///
/// From then on the sandbox is running. Again is fine.
#[utoipa::path(
    post, path = "/sandboxes/{sandbox_id}/ready", operation_id = "report_ready", tag = "tasks",
    params(Id),
    responses(
        (status = 200, description = "it runs", body = ReadyResponse),
        (
            status = 409, body = ErrorResponse,
            description = "`sandbox_not_ready`: the task is not recorded yet, try again; or the sandbox is over",
        ),
        Guarded,
    ),
    security(("taskToken" = [])),
)]
pub(super) async fn ready(
    State(api): State<Api>,
    TaskToken(token): TaskToken,
    Id(id): Id,
) -> Result<Json<ReadyResponse>, ApiError> {
    match api.ready(id, &token).await {
        Ok(()) => Ok(Json(ReadyResponse { ready: true })),
        Err(Error::Refused(_)) => Err(ApiError::new(
            StatusCode::CONFLICT,
            "sandbox_not_ready",
            "the sandbox's task is not recorded yet, or the sandbox is over",
        )),
        Err(error) => Err(error.into()),
    }
}
