use axum::body::{Body, BodyDataStream};
use futures::StreamExt;
use http_body_util::BodyExt;

use crate::failure::Failure;

/// The largest body that is read, in bytes.
pub(crate) const LIMIT: usize = 1_000_000;
/// What is read beyond it and thrown away, so that a client that is still sending gets to read the refusal.
const PATIENCE: usize = 16 * LIMIT;

/// Reads the whole body.
pub(crate) async fn read(mut body: Body) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Incomplete)?;
        let Some(data) = frame.data_ref() else { continue };
        length = length.saturating_add(data.len());
        if length <= LIMIT {
            bytes.extend_from_slice(data);
        } else if length > PATIENCE {
            break;
        }
    }
    if length > LIMIT { Err(Failure::TooLarge("the body", LIMIT as u64)) } else { Ok(bytes) }
}

/// Reads what else comes of a body that was refused, and throws it away, for the same reason.
pub(crate) async fn discard(body: &mut BodyDataStream) {
    let mut length = 0_usize;
    while length < PATIENCE
        && let Some(Ok(data)) = body.next().await
    {
        length = length.saturating_add(data.len());
    }
}
