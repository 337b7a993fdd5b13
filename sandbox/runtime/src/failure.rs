use axum::Json;
use axum::http::StatusCode;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Why a request is refused. Each is answered in the API's error envelope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No token came.
    Unauthenticated,
    /// A token came that opens nothing.
    InvalidToken,
    /// These fields are not what they should be; never empty.
    Invalid(Vec<Detail>),
    /// What came is larger than so many bytes.
    TooLarge(&'static str, u64),
    NotFound,
    MethodNotAllowed,
    /// The client went before it had said all.
    Incomplete,
    /// The machine could not run the command.
    NotStarted(String),
    /// The file system, or what it is asked for, does not let us.
    Forbidden(&'static str),
    /// What is there is in the way, or changes all the time.
    Conflict(&'static str),
    /// The file system has no room for it.
    NoRoom,
    /// The file system failed.
    FileSystem(String),
}

/// What is wrong with one field.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Detail {
    /// A dotted path such as `body.command`.
    pub(crate) field: String,
    /// A fragment that goes on after the field's name: `is required`.
    pub(crate) issue: String,
}

#[derive(Serialize)]
struct Envelope {
    error: Inner,
    /// Repeats the message, for clients older than the envelope.
    detail: String,
}

#[derive(Serialize)]
struct Inner {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

impl Failure {
    pub(crate) fn invalid(field: impl Into<String>, issue: impl Into<String>) -> Self {
        Self::Invalid(vec![Detail { field: field.into(), issue: issue.into() }])
    }

    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::InvalidToken => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
            Self::TooLarge(..) => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::NoRoom => (StatusCode::INSUFFICIENT_STORAGE, "insufficient_storage"),
            Self::NotStarted(_) | Self::FileSystem(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error")
            }
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unauthenticated => {
                "send the sandbox's access token as `Authorization: Bearer <token>`".to_owned()
            }
            Self::InvalidToken => "the token is not this sandbox's access token".to_owned(),
            Self::Invalid(details) => {
                let said: Vec<String> =
                    details.iter().map(|it| format!("{} {}", it.field, it.issue)).collect();
                said.join("; ")
            }
            Self::TooLarge(what, limit) => format!("{what} is larger than {limit} bytes"),
            Self::NotFound => "there is nothing at this path".to_owned(),
            Self::MethodNotAllowed => "this path does not know this method".to_owned(),
            Self::Incomplete => "the body is not complete".to_owned(),
            Self::NotStarted(reason) => format!("the command could not be started: {reason}"),
            Self::Forbidden(why) | Self::Conflict(why) => (*why).to_owned(),
            Self::NoRoom => "the sandbox has no room for it".to_owned(),
            Self::FileSystem(reason) => format!("the file system failed: {reason}"),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        let message = self.message();
        let detail = message.clone();
        let details = if let Self::Invalid(details) = self { details } else { Vec::new() };
        let mut response =
            (status, Json(Envelope { error: Inner { code, message, details }, detail })).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
