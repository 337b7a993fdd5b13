//! The request id: in a header of every answer, in every error body, and in the log.

use axum::http::{HeaderName, HeaderValue, Response};
use modbox_control::Api;
use serde::Serialize;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");

#[derive(Clone, Debug, Serialize)]
pub(crate) struct RequestId(pub(crate) String);

impl RequestId {
    pub(crate) fn new(api: &Api) -> Self {
        Self(format!("req_{:032x}", api.random()))
    }

    pub(crate) fn stamp<B>(&self, response: &mut Response<B>) {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            response.headers_mut().insert(HEADER, value);
        }
    }
}
