//! Reads what of a request's body nobody read, so that its connection carries the next request.
//!
//! A refusal is often decided by the head of a request, while the body is still on its way. hyper then cuts the
//! connection behind the answer without having said so, and a client that keeps its connections loses the request that it
//! sends next. API Gateway reads every request whole; so does whatever we serve ourselves.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{sync::oneshot, time::timeout};

/// The most that is read and thrown away, in bytes, and how long that may take. Beyond it the answer says that the
/// connection ends.
pub const LIMIT: usize = 16_000_000;
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A middleware, outside of everything that may answer.
pub async fn drain(request: Request, next: Next) -> Response {
    let (give_back, given_back) = oneshot::channel();
    let request = request.map(|body| Body::new(Lent { body, give_back: Some(give_back) }));
    let mut response = next.run(request).await;
    // Whoever has not given it back by now reads it.
    let mut given_back = given_back;
    if let Ok(rest) = given_back.try_recv()
        && !timeout(PATIENCE, is_read(rest)).await.unwrap_or(false)
    {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Whether all that was left could be read.
async fn is_read(mut body: Body) -> bool {
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return false };
        length = length.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if length > LIMIT {
            return false;
        }
    }
    true
}

/// A body that comes back, with what was not read of it, when it is dropped.
struct Lent {
    body: Body,
    give_back: Option<oneshot::Sender<Body>>,
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(give_back) = self.give_back.take() {
            let _ = give_back.send(std::mem::take(&mut self.body));
        }
    }
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
