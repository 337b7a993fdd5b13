//! Our own address, as the caller reached it: what a task's sidecars are told.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header::HOST, request::Parts},
};
use modbox_control::Api;

use crate::error::{ApiError, Issue};

pub(crate) struct Origin(pub(crate) String);

impl FromRequestParts<Api> for Origin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let host = header(&parts.headers, HOST.as_str()).filter(|host| is_host(host)).ok_or_else(|| {
            ApiError::invalid(vec![Issue::new(
                &["header", "host"],
                "must be a host with an optional port",
                "value_error",
            )])
        })?;
        // Set by API Gateway and function URLs, which end TLS; on one machine there is none.
        let scheme = match header(&parts.headers, "x-forwarded-proto") {
            Some("https") => "https",
            _ => "http",
        };
        Ok(Self(format!("{scheme}://{host}")))
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn is_host(host: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    !host.is_empty() && host.len() <= 255 && host.chars().all(allowed)
}
