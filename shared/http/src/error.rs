//! What went wrong, before a dialect puts it into its own words: one mapping from errors to statuses.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use modbox_control::Error;

use crate::order::too_large;

/// A refusal on its way out. The dialect's outermost layer renders the body.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
    pub(crate) retryable: bool,
    pub(crate) issues: Vec<Issue>,
    /// For the log only.
    pub(crate) internal: Option<String>,
}

/// What is wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Issue {
    /// Where: `["body", "ttl_seconds"]`.
    pub(crate) location: Vec<String>,
    pub(crate) message: String,
    /// A word for the kind of fault, for programs.
    pub(crate) kind: &'static str,
}

impl Issue {
    pub(crate) fn new(location: &[&str], message: impl Into<String>, kind: &'static str) -> Self {
        let location = location.iter().map(|part| (*part).to_owned()).collect();
        Self { location, message: message.into(), kind }
    }
}

/// As much of a caller's own text as an answer repeats.
pub(crate) fn excerpt(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: None,
            retryable: false,
            issues: Vec::new(),
            internal: None,
        }
    }

    pub(crate) fn invalid(issues: Vec<Issue>) -> Self {
        let named = issues.first().map(|issue| format!("{}: {}", issue.location.join("."), issue.message));
        let message = named.unwrap_or_else(|| "the request is not valid".to_owned());
        Self { issues, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", message) }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "sandbox_not_found", "there is no such sandbox")
    }

    pub(crate) fn unauthorized(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    pub(crate) fn forbidden(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// The error of a response that no handler made: no such route or method, too large a body.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        let (code, message) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is no such route"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "the route does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("payload_too_large", "the body is larger than 1 MB"),
            status if status.is_server_error() => ("internal_error", "something failed on our side"),
            _ => ("bad_request", "the request cannot be understood"),
        };
        Self::new(status, code, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let internal = || Some(error.to_string());
        match &error {
            Error::NotFound => Self::not_found(),
            Error::NameTaken { name } => Self {
                hint: Some("destroy it first, or choose another task_id"),
                ..Self::new(
                    StatusCode::CONFLICT,
                    "sandbox_name_conflict",
                    format!("a live sandbox is already named {name}"),
                )
            },
            Error::KeyReused => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "the Idempotency-Key was used for another request within the last 24 hours",
            ),
            Error::EnvironmentTooLarge { .. } => too_large("env_vars"),
            Error::Refused(refusal) if refusal.state.is_live() => {
                Self::new(StatusCode::CONFLICT, "conflict", "the sandbox is about to end by itself")
            }
            Error::Refused(_) => Self::new(StatusCode::CONFLICT, "conflict", "the sandbox is over"),
            Error::TooLong => Self::new(
                StatusCode::CONFLICT,
                "conflict",
                "the deadline would be more than 86400 seconds from now",
            ),
            Error::TooLate => Self {
                retryable: true,
                internal: internal(),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_error",
                    "the deadline could not be moved in time",
                )
            },
            Error::ForeignTask => Self::unauthorized("invalid_token", "the token is not this task's"),
            Error::Aws(aws) if aws.retryable() => Self {
                retryable: true,
                internal: internal(),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_error",
                    "AWS did not answer; try again",
                )
            },
            Error::Contended => Self {
                retryable: true,
                internal: internal(),
                ..Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "upstream_error",
                    "the sandbox kept changing; try again",
                )
            },
            Error::UnknownKey(_) | Error::Unsealable | Error::Aws(_) => {
                Self { internal: internal(), ..Self::of_status(StatusCode::INTERNAL_SERVER_ERROR) }
            }
        }
    }
}
