//! `POST /modbox/api/files/upload`: puts a file into the workspace's `uploads`, as it is.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures::{Stream, StreamExt};
use multer::{Field, Multipart};

use super::entry::Entry;
use super::name::storable;
use super::on_disk;
use super::partial::Partial;
use super::workspace::{Relative, Workspace};
use crate::Runtime;
use crate::failure::Failure;

/// The largest file, in bytes: 50 MiB.
pub(super) const LIMIT: u64 = 50 * 1024 * 1024;
/// The most that a body may have beside the file, and be ahead of what is written, in bytes. It bounds the memory.
const BESIDE: u64 = 2 * 1024 * 1024;

/// A file that came whole, and what it is to be called.
struct Received {
    partial: Partial,
    name: String,
}

/// The file has its name when all of it is there and not before. Where that does not come to be nothing is left.
pub(crate) async fn upload(
    State(runtime): State<Arc<Runtime>>,
    head: HeaderMap,
    body: Body,
) -> Result<Json<Entry>, Failure> {
    store(&runtime.workspace, &head, body).await.map(Json)
}

async fn store(workspace: &Arc<Workspace>, head: &HeaderMap, body: Body) -> Result<Entry, Failure> {
    let content_type = head.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let no_form = |_| Failure::invalid("body", "is not multipart/form-data with a boundary");
    let boundary = multer::parse_boundary(content_type).map_err(no_form)?;
    let taken = Arc::new(AtomicU64::new(0));
    let mut parts = Multipart::new(bounded(body.into_data_stream(), taken.clone()), boundary);
    let mut received = None;
    while let Some(part) = parts.next_field().await.map_err(unreadable)? {
        if part.name() != Some("file") {
            continue;
        }
        if received.is_some() {
            return Err(Failure::invalid("body.file", "is there more than once"));
        }
        received = Some(receive(workspace, part, &taken).await?);
    }
    let Received { partial, name } = received.ok_or_else(|| Failure::invalid("body.file", "is required"))?;
    on_disk(move || {
        let stat = partial.place(&name)?;
        Ok(Entry::new(&Relative::uploads().below(name), &stat))
    })
    .await
}

async fn receive(
    workspace: &Arc<Workspace>,
    mut part: Field<'_>,
    taken: &AtomicU64,
) -> Result<Received, Failure> {
    let name = storable(part.file_name())?.to_owned();
    let workspace = workspace.clone();
    let mut partial = on_disk(move || Partial::create(&workspace)).await?;
    let mut size = 0;
    while let Some(bytes) = part.chunk().await.map_err(unreadable)? {
        size += bytes.len() as u64;
        if size > LIMIT {
            return Err(Failure::TooLarge("the file", LIMIT));
        }
        taken.store(size, Ordering::Relaxed);
        partial.write(&bytes).await?;
    }
    partial.finish().await?;
    Ok(Received { partial, name })
}

/// The body, which fails where there is too much of it that is not the file's.
fn bounded(
    body: BodyDataStream,
    taken: Arc<AtomicU64>,
) -> impl Stream<Item = Result<Bytes, Box<dyn Error + Send + Sync>>> {
    let mut came = 0_u64;
    body.map(move |bytes| {
        let bytes = bytes?;
        came += bytes.len() as u64;
        let too_much = came - taken.load(Ordering::Relaxed) > BESIDE;
        if too_much { Err(TooMuchBeside.into()) } else { Ok(bytes) }
    })
}

#[derive(Debug)]
struct TooMuchBeside;

impl fmt::Display for TooMuchBeside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much beside the file")
    }
}

impl Error for TooMuchBeside {}

fn unreadable(error: multer::Error) -> Failure {
    match error {
        multer::Error::StreamReadFailed(cause) if cause.is::<TooMuchBeside>() => {
            Failure::TooLarge("what the body has beside the file", BESIDE)
        }
        multer::Error::StreamReadFailed(_)
        | multer::Error::IncompleteStream
        | multer::Error::IncompleteFieldData { .. } => Failure::Incomplete,
        _ => Failure::invalid("body", "is not multipart/form-data that can be read"),
    }
}
