//! Who calls.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use modbox_control::{Api, Rejection};
use modbox_sandbox::UserId;

use crate::error::ApiError;

/// The user whose API token came with the request.
pub(crate) struct Caller(pub(crate) UserId);

/// The token of a task, unchecked: which task it must be is known only with the sandbox.
pub(crate) struct TaskToken(pub(crate) String);

/// Every API token starts so.
const API_TOKEN_PREFIX: &str = "mbx_";

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let token = bearer(&parts.headers)?;
        if !token.starts_with(API_TOKEN_PREFIX) {
            return Err(rejected(Rejection::Unknown));
        }
        api.authenticate(token).await?.map(Self).map_err(rejected)
    }
}

impl FromRequestParts<Api> for TaskToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        bearer(&parts.headers).map(|token| Self(token.to_owned()))
    }
}

fn bearer(headers: &HeaderMap) -> Result<&str, ApiError> {
    let value = headers.get(AUTHORIZATION).ok_or_else(|| {
        ApiError::unauthorized(
            "unauthenticated",
            "the request has no Authorization header; send `Bearer <token>`",
        )
    })?;
    let text = value.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() {
        return Ok(token.trim());
    }
    Err(ApiError::unauthorized("unauthenticated", "the Authorization header is not `Bearer <token>`"))
}

fn rejected(rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::Unknown => ApiError::unauthorized("invalid_token", "the API token is not known"),
        Rejection::Revoked => ApiError::unauthorized("token_revoked", "the API token was revoked"),
        Rejection::Expired => ApiError::unauthorized("token_expired", "the API token has expired"),
    }
}
