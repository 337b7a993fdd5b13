//! POST /v1/sandboxes/{id}/token/refresh.

use std::time::Duration;

use axum::{Extension, Json, extract::State};
use modbox_control::Api;
use modbox_sandbox::Timestamp;
use serde::Serialize;

use super::wire::Answered;
use crate::{auth::ApiKey, error::ApiError, moment::iso, path::ById, request_id::RequestId};

/// How long a token is said to be good: it is as long as its sandbox lives, and the SDKs want to hear of an end.
const GOOD_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The token of a sandbox's runtime.
#[derive(Serialize)]
pub(super) struct AgentToken {
    auth_token: String,
    token_expires_at: String,
}

impl AgentToken {
    pub(super) fn new(auth_token: String, now: Timestamp) -> Self {
        Self { auth_token, token_expires_at: iso(now + GOOD_FOR) }
    }
}

/// Tells the token of a sandbox's runtime. It is the same each time.
pub(super) async fn refresh(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    ById(selector): ById,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<AgentToken>>, ApiError> {
    let row = api.get(&caller.user, &selector).await?;
    if row.sandbox.is_over(api.now()) {
        return Err(ApiError::not_found());
    }
    let body = AgentToken::new(api.access_token(&row)?, api.now());
    Ok(Json(Answered { body, request_id }))
}
