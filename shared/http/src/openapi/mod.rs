//! The OpenAPI document and a page to read it, served to anybody; both are made of the code, once.

mod page;
mod types;

use std::sync::LazyLock;

use axum::{
    body::Bytes,
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};

use crate::native;

/// Something to serve that changes with the program alone.
struct Served {
    content_type: &'static str,
    body: Bytes,
    etag: String,
}

static JSON: LazyLock<Served> = LazyLock::new(|| Served::new("application/json", json()));
static DOCS: LazyLock<Served> =
    LazyLock::new(|| Served::new("text/html; charset=utf-8", page::page(&native::document())));

/// Nothing is loaded and nothing runs; only the page's own style applies.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(page::STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The document's text, the same bytes on every machine.
fn json() -> String {
    // It is made of strings and numbers, which can always be written.
    let text = native::document().to_pretty_json().unwrap_or_default();
    // utoipa 5.5 spells this member of a link in its own way.
    text.replace("\"operation_id\":", "\"operationId\":") + "\n"
}

impl Served {
    fn new(content_type: &'static str, text: String) -> Self {
        let etag = format!("\"{}\"", BASE64_STANDARD.encode(Sha256::digest(&text)));
        Self { content_type, body: text.into(), etag }
    }

    /// Answers with it, or with 304 where the caller has it already.
    fn answer(&self, request: &HeaderMap, more: &[(HeaderName, &str)]) -> Response {
        let headers = [(ETAG, self.etag.as_str()), (CACHE_CONTROL, "no-cache")];
        let known = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        if known.flat_map(|tags| tags.split(',')).any(|tag| self.is(tag.trim())) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let mut response = (headers, [(CONTENT_TYPE, self.content_type)], self.body.clone()).into_response();
        for (name, value) in more {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn is(&self, tag: &str) -> bool {
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag
    }
}

/// Serves this document.
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "get_openapi", tag = "system", security(()),
    responses(
        (status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object),
        (status = 304, description = "the caller has it already, by its `If-None-Match`"),
    ),
)]
pub(crate) async fn openapi_json(headers: HeaderMap) -> Response {
    JSON.answer(&headers, &[])
}

/// Serves this document as a page to read.
///
/// It needs nothing from anywhere else, and runs no script.
#[utoipa::path(
    get, path = "/docs", operation_id = "get_docs", tag = "system", security(()),
    responses(
        (status = 200, description = "HTML", content_type = "text/html", body = String),
        (status = 304, description = "the caller has it already, by its `If-None-Match`"),
    ),
)]
pub(crate) async fn docs(headers: HeaderMap) -> Response {
    let more = [
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    DOCS.answer(&headers, &more)
}
