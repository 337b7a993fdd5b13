//! The outermost layer of every dialect: request ids, and the one form that a dialect gives to errors.

use axum::{extract::Request, http::header::ALLOW, middleware::Next, response::Response};
use modbox_control::Api;

use crate::{error::ApiError, request_id::RequestId};

/// Answers the request, with `render` for what came out as an error, whoever made it.
///
/// Handlers find the request's id among its extensions.
pub(crate) async fn wrap(
    api: &Api,
    mut request: Request,
    next: Next,
    render: impl Fn(&ApiError, &RequestId) -> Response,
) -> Response {
    let id = RequestId::new(api);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        let made = response.extensions_mut().remove::<ApiError>();
        let error = made.unwrap_or_else(|| ApiError::of_status(response.status()));
        if error.status.is_server_error() {
            let internal = error.internal.as_deref();
            tracing::error!(request.id = id.0, %method, path, code = error.code, internal, "request failed");
        }
        let allow = response.headers().get(ALLOW).cloned();
        response = render(&error, &id);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    id.stamp(&mut response);
    response
}
