use axum::body::{Body, Bytes};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::failure::Failure;

/// The largest body that is read, in bytes.
pub(crate) const LIMIT: usize = 1_000_000;

/// Reads the whole body.
pub(crate) async fn read(body: Body) -> Result<Bytes, Failure> {
    match Limited::new(body, LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge("the body", LIMIT as u64)),
        Err(_) => Err(Failure::Incomplete),
    }
}
