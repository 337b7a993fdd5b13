//! The one form of every error.
//!
//! Newer SDKs (modbox-sdk 0.0.12 and later) parse `error`; older ones parse a list in `detail` at 422. Neither can
//! read the other's form of `detail`, so a caller that names itself as a newer SDK gets `detail: null` at 422.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    middleware::Next,
    response::{IntoResponse, Response},
};
use modbox_control::Api;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{
    ToSchema,
    openapi::{
        OneOfBuilder, Ref, Schema,
        schema::{ArrayBuilder, ObjectBuilder, Type},
    },
};

use crate::{
    answer,
    error::{ApiError, Issue},
    request_id::RequestId,
};

pub(super) async fn wrap(State(api): State<Api>, request: Request, next: Next) -> Response {
    let newer = is_newer_sdk(request.headers());
    answer::wrap(&api, request, next, |error, id| render(error, id, newer)).await
}

fn render(error: &ApiError, id: &RequestId, newer: bool) -> Response {
    let mut response = (error.status, Json(body(error, id, newer))).into_response();
    if error.status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge(error));
    }
    response
}

/// What would be let in (RFC 6750, section 3): a caller who sent a token is told that it is the token.
fn challenge(error: &ApiError) -> HeaderValue {
    HeaderValue::from_static(match error.code {
        "unauthenticated" => "Bearer",
        _ => r#"Bearer error="invalid_token""#,
    })
}

/// The body of every answer that is an error.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorResponse<'a> {
    error: ErrorBody<'a>,
    #[schema(schema_with = detail)]
    detail: Value,
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorBody<'a> {
    /// A word for this kind of failure, for programs. Each status of each operation names its own; there may be more.
    code: &'a str,
    /// The same for people.
    message: &'a str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    hint: Option<&'a str>,
    /// Whether the same request may succeed later.
    retryable: bool,
    /// The request's id, also in the header `X-Request-Id`.
    request_id: &'a str,
    /// What is wrong with which field; at most 20.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<ErrorDetail<'a>>,
}

/// A fault of one field.
#[derive(Serialize, ToSchema)]
pub(super) struct ErrorDetail<'a> {
    /// Where, in dotted form: `body.ttl_seconds`.
    field: String,
    /// What is wrong there.
    issue: &'a str,
}

/// A fault of one field, as older callers read it.
#[derive(Serialize, ToSchema)]
pub(super) struct ValidationError<'a> {
    /// Where: `["body", "ttl_seconds"]`.
    loc: &'a [String],
    /// What is wrong there.
    msg: &'a str,
    /// A word for this kind of fault, for programs.
    #[serde(rename = "type")]
    kind: &'a str,
}

/// The schema of `detail`.
fn detail() -> Schema {
    let faults = ArrayBuilder::new().items(Ref::from_schema_name(ValidationError::name()));
    OneOfBuilder::new()
        .description(Some(
            "Deprecated: `error.message`; at 422 the list of faults, or null for a caller that says it is \
             modbox-sdk 0.0.12 or later.",
        ))
        .item(ObjectBuilder::new().schema_type(Type::String))
        .item(faults)
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .build()
        .into()
}

fn body<'a>(error: &'a ApiError, id: &'a RequestId, newer: bool) -> ErrorResponse<'a> {
    let detail = match error.issues.as_slice() {
        [] => json!(error.message),
        _ if newer => Value::Null,
        issues => issues.iter().map(fault).collect(),
    };
    let details = error
        .issues
        .iter()
        .map(|issue| ErrorDetail { field: issue.location.join("."), issue: &issue.message });
    let error = ErrorBody {
        code: error.code,
        message: &error.message,
        hint: error.hint,
        retryable: error.retryable,
        request_id: &id.0,
        details: details.collect(),
    };
    ErrorResponse { error, detail }
}

/// One entry of the older form (seeds/000: `ValidationError`).
fn fault(issue: &Issue) -> Value {
    json!(ValidationError { loc: &issue.location, msg: &issue.message, kind: issue.kind })
}

fn is_newer_sdk(headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if header("x-fern-sdk-name") != Some("modbox-sdk") {
        return false;
    }
    let version = header("x-fern-sdk-version").unwrap_or_default();
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version >= (0, 0, 12)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, version: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-fern-sdk-name", HeaderValue::from_static(name));
        headers.insert("x-fern-sdk-version", HeaderValue::from_static(version));
        headers
    }

    #[test]
    fn an_sdk_is_newer_from_0_0_12_on() {
        assert!(!is_newer_sdk(&HeaderMap::new()));
        assert!(!is_newer_sdk(&headers("modbox-sdk", "0.0.10")));
        assert!(is_newer_sdk(&headers("modbox-sdk", "0.0.12")));
        assert!(is_newer_sdk(&headers("modbox-sdk", "0.1.0")));
        assert!(is_newer_sdk(&headers("modbox-sdk", "1.0.0")));
        assert!(!is_newer_sdk(&headers("other-sdk", "0.0.21")));
        assert!(!is_newer_sdk(&headers("modbox-sdk", "not a version")));
    }
}
