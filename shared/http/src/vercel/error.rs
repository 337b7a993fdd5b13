//! The one form of every error, and the vendor's own words for what went wrong.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use modbox_control::{Api, Error};
use modbox_sandbox::State as SandboxState;
use serde::Serialize;

use super::refused::STOPPED_FOR_GOOD;
use crate::{answer, error::ApiError, request_id::RequestId};

/// 400: a timeout that no sandbox may have.
const TIMEOUT_INVALID: &str = "sandbox_timeout_invalid";
/// 422: it ends within seconds.
const STOPPING: &str = "sandbox_stopping";
/// 410: there is nothing to resume from. The SDKs that get or create then delete it and create another.
const SNAPSHOT_NOT_FOUND: &str = "snapshot_not_found";

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

#[derive(Serialize)]
struct ErrorDetail<'a> {
    code: &'a str,
    message: &'a str,
}

pub(super) async fn wrap(State(api): State<Api>, request: Request, next: Next) -> Response {
    answer::wrap(&api, request, next, render).await
}

fn render(error: &ApiError, _: &RequestId) -> Response {
    let (status, code) = code(error);
    let message = match error.code {
        "sandbox_not_found" => "Sandbox not found.",
        _ => &error.message,
    };
    (status, Json(ErrorBody { error: ErrorDetail { code, message } })).into_response()
}

fn code(error: &ApiError) -> (StatusCode, &'static str) {
    match error.status {
        status if [TIMEOUT_INVALID, STOPPING, SNAPSHOT_NOT_FOUND].contains(&error.code) => {
            (status, error.code)
        }
        StatusCode::UNAUTHORIZED => (error.status, "unauthorized"),
        StatusCode::FORBIDDEN => (error.status, "forbidden"),
        StatusCode::NOT_FOUND => (error.status, "not_found"),
        StatusCode::METHOD_NOT_ALLOWED => (error.status, "method_not_allowed"),
        StatusCode::PAYLOAD_TOO_LARGE => (error.status, "payload_too_large"),
        StatusCode::SERVICE_UNAVAILABLE => (error.status, "service_unavailable"),
        status if status.is_server_error() => (status, "internal_server_error"),
        _ => (StatusCode::BAD_REQUEST, "bad_request"),
    }
}

pub(super) fn timeout_invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, TIMEOUT_INVALID, message)
}

pub(super) fn nothing_to_resume() -> ApiError {
    ApiError::new(StatusCode::GONE, SNAPSHOT_NOT_FOUND, STOPPED_FOR_GOOD)
}

/// Why a sandbox was not changed. One that was deleted is not found, in whatever way it is asked for; one that has only
/// stopped is never 410, by which the SDKs would try to resume it.
pub(super) fn unchanged(error: Error) -> ApiError {
    match error {
        Error::Refused(refusal) => match refusal.state {
            SandboxState::Provisioning(_) | SandboxState::Running(_) => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                STOPPING,
                "The sandbox stops within 5 seconds: its timeout can no longer be moved away.",
            ),
            SandboxState::Destroying(ending) | SandboxState::Destroyed(ending) if ending.is_dismissed() => {
                ApiError::not_found()
            }
            SandboxState::Destroying(_) | SandboxState::Destroyed(_) => {
                ApiError::new(StatusCode::BAD_REQUEST, "bad_request", STOPPED_FOR_GOOD)
            }
        },
        Error::TooLong => timeout_invalid("The timeout would end more than 86400000 ms from now."),
        error => error.into(),
    }
}
