//! The cloud on a socket: the AWS endpoint of separately started functions and of the AWS CLI.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::Method;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::aws_json::AwsError;
use crate::cloud::{Cloud, Reply};

/// The largest body that DynamoDB takes.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// What is answered to services of whose protocol the local cloud speaks nothing.
const OTHER_PROTOCOL: &str =
    "the local cloud has only services of the AWS JSON protocols, such as DynamoDB and ECS";

/// Whose calls these are in [`Cloud::calls`].
pub const CALLER: &str = "port";

/// Serves the cloud on a socket until it is told to stop, then ends the requests in flight. Any credentials do.
pub async fn serve(
    listener: TcpListener,
    cloud: Arc<Cloud>,
    stop: CancellationToken,
) -> Result<(), std::io::Error> {
    axum::serve(listener, router(cloud)).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

/// The routes of the port. Older SQS clients post to the queue's own path, so every path takes a POST.
pub fn router(cloud: Arc<Cloud>) -> Router {
    Router::new()
        .route("/", get(|| async { "ok\n" }).post(dispatch))
        .fallback(any(elsewhere))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(cloud)
}

async fn elsewhere(method: Method, state: State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Response {
    if method == Method::POST {
        return dispatch(state, headers, body).await;
    }
    (StatusCode::NOT_FOUND, Json(AwsError::client("UnknownOperationException", OTHER_PROTOCOL).body()))
        .into_response()
}

async fn dispatch(State(cloud): State<Arc<Cloud>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    match target {
        Some(target) => response(cloud.call(CALLER, target, &body).await),
        None => other_protocol(),
    }
}

/// The error as the protocols with XML carry it: what names its operation elsewhere is one of them.
fn other_protocol() -> Response {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>UnknownOperationException</Code>\
         <Message>{OTHER_PROTOCOL}</Message></Error></ErrorResponse>"
    );
    (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "text/xml")], body).into_response()
}

fn response(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, reply.body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    if let Ok(id) = HeaderValue::from_str(&reply.request_id) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}
