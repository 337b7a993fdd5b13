//! The one form of every error.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use modbox_control::Api;
use serde::Serialize;

use super::PREFIX;
use crate::{answer, error::ApiError, moment::iso};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    path: String,
    timestamp: String,
    status_code: u16,
    error: &'static str,
    message: String,
}

pub(super) async fn wrap(State(api): State<Api>, request: Request, next: Next) -> Response {
    let path = format!("{PREFIX}{}", request.uri().path());
    let render = |error: &ApiError, _: &_| {
        let status = status(error);
        let body = ErrorBody {
            path: path.clone(),
            timestamp: iso(api.now()),
            status_code: status.as_u16(),
            error: status.canonical_reason().unwrap_or_default(),
            message: message(error),
        };
        (status, Json(body)).into_response()
    };
    answer::wrap(&api, request, next, render).await
}

fn status(error: &ApiError) -> StatusCode {
    match error.status {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

fn message(error: &ApiError) -> String {
    match error.code {
        "sandbox_not_found" => "Sandbox not found".to_owned(),
        "validation_error" => {
            let faults = error.issues.iter().map(|issue| {
                let field = issue.location.last().map(String::as_str).unwrap_or_default();
                format!("{field} {}", issue.message)
            });
            faults.collect::<Vec<_>>().join("; ")
        }
        _ => error.message.clone(),
    }
}
