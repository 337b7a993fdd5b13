//! The one form of every error: flat, as the vendor documents it.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use modbox_control::Api;
use serde::Serialize;

use crate::{answer, error::ApiError, request_id::RequestId};

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    code: &'a str,
    request_id: &'a RequestId,
}

pub(super) async fn wrap(State(api): State<Api>, request: Request, next: Next) -> Response {
    answer::wrap(&api, request, next, render).await
}

fn render(error: &ApiError, request_id: &RequestId) -> Response {
    let (status, code) = code(error);
    let message = match error.code {
        "sandbox_not_found" => "Sandbox not found",
        _ => &error.message,
    };
    (status, Json(ErrorBody { error: message, code, request_id })).into_response()
}

fn code(error: &ApiError) -> (StatusCode, &'static str) {
    match error.status {
        StatusCode::UNAUTHORIZED if error.code == "unauthenticated" => {
            (error.status, "AUTHENTICATION_REQUIRED")
        }
        StatusCode::UNAUTHORIZED => (error.status, "INVALID_TOKEN"),
        StatusCode::FORBIDDEN => (error.status, "FORBIDDEN"),
        StatusCode::NOT_FOUND => (error.status, "RESOURCE_NOT_FOUND"),
        StatusCode::METHOD_NOT_ALLOWED => (error.status, "METHOD_NOT_ALLOWED"),
        StatusCode::CONFLICT => (error.status, "CONFLICT"),
        StatusCode::PAYLOAD_TOO_LARGE => (error.status, "PAYLOAD_TOO_LARGE"),
        StatusCode::SERVICE_UNAVAILABLE => (error.status, "SERVICE_UNAVAILABLE"),
        status if status.is_server_error() => (status, "INTERNAL_ERROR"),
        _ => (StatusCode::BAD_REQUEST, "INVALID_REQUEST"),
    }
}
