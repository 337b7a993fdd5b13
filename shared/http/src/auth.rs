//! Who calls, and in which workspace.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::AUTHORIZATION, request::Parts},
};
use modbox_control::{Api, Identity, Rejection};
use modbox_sandbox::{UserId, WorkspaceId};

use crate::error::{ApiError, Issue};

/// The user who calls a route of one sandbox. Nothing of theirs is in a workspace that is not theirs: 404.
pub(crate) struct Caller(pub(crate) UserId);

/// The user who calls a route of sandboxes in general. They may not look into another workspace: 403.
pub(crate) struct Member(pub(crate) UserId);

/// The user who calls a route that belongs to no workspace.
pub(crate) struct User(#[expect(dead_code, reason = "who it is makes no difference yet")] pub(crate) UserId);

/// Whoever calls a door by `X-API-Key`, or else by `Authorization: Bearer`.
pub(crate) struct ApiKey(pub(crate) Identity);

/// The token of a task, unchecked: which task it must be is known only with the sandbox.
pub(crate) struct TaskToken(pub(crate) String);

const API_KEY_HEADER: &str = "x-api-key";
const WORKSPACE_HEADER: &str = "x-workspace-id";

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = identity(parts, api).await?;
        if is_own_workspace(parts, &caller)? { Ok(Self(caller.user)) } else { Err(ApiError::not_found()) }
    }
}

impl FromRequestParts<Api> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let caller = identity(parts, api).await?;
        if is_own_workspace(parts, &caller)? {
            return Ok(Self(caller.user));
        }
        Err(ApiError::forbidden("workspace_forbidden", "the workspace is not the caller's"))
    }
}

impl FromRequestParts<Api> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        identity(parts, api).await.map(|caller| Self(caller.user))
    }
}

impl FromRequestParts<Api> for ApiKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let token = match parts.headers.get(API_KEY_HEADER) {
            Some(key) => key.to_str().unwrap_or_default().trim(),
            None => bearer(&parts.headers)?,
        };
        api.authenticate(token).await?.map(Self).map_err(rejected)
    }
}

impl FromRequestParts<Api> for TaskToken {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        bearer(&parts.headers).map(|token| Self(token.to_owned()))
    }
}

pub(crate) async fn identity(parts: &Parts, api: &Api) -> Result<Identity, ApiError> {
    let token = bearer(&parts.headers)?;
    api.authenticate(token).await?.map_err(rejected)
}

/// Whether the request is about the caller's default workspace, as one that names none is.
fn is_own_workspace(parts: &Parts, caller: &Identity) -> Result<bool, ApiError> {
    let Some(value) = parts.headers.get(WORKSPACE_HEADER) else { return Ok(true) };
    let named = value.to_str().ok().and_then(|text| text.parse::<WorkspaceId>().ok());
    let named = named.ok_or_else(|| {
        ApiError::invalid(vec![Issue::new(&["header", WORKSPACE_HEADER], "must be a UUID", "uuid_parsing")])
    })?;
    Ok(caller.workspace == named)
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
