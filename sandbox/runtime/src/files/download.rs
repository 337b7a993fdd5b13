//! `GET /modbox/api/files/download`: a file as it is.

use std::fs::File;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustix::fs::{FileType, fstat};
use tokio::io::AsyncReadExt;
use tokio_util::io::ReaderStream;

use super::query::Parameters;
use super::workspace::{Relative, Workspace};
use super::{on_disk, refused};
use crate::Runtime;
use crate::failure::Failure;

const CHUNK: usize = 64 * 1024;
/// What RFC 8187 lets stand for itself.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The connection is cut where the file turns out shorter than was said, so that no half one looks whole.
pub(crate) async fn download(
    State(runtime): State<Arc<Runtime>>,
    parameters: Parameters,
) -> Result<Response, Failure> {
    let workspace = runtime.workspace.clone();
    let path = parameters.path(&workspace)?;
    let disposition = disposition(&path);
    let (file, length) = on_disk(move || open(&workspace, &path)).await?;
    let bytes = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(length), CHUNK);
    let head = [
        (CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
        (CONTENT_DISPOSITION, disposition),
        // What comes out of a sandbox is nobody's page.
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((head, Body::from_stream(bytes)).into_response())
}

/// A file with a second name may be one that is elsewhere as well, and nothing tells where; so it is no way out either.
fn open(workspace: &Workspace, path: &Relative) -> Result<(File, u64), Failure> {
    let file = workspace.file(path).map_err(refused)?;
    let stat = fstat(&file).map_err(refused)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_nlink > 1 => Err(Failure::Forbidden(
            "the file has another name (a hard link), which may be outside of the workspace; download a copy of it",
        )),
        FileType::RegularFile => Ok((file.into(), u64::try_from(stat.st_size).unwrap_or_default())),
        FileType::Directory => Err(Failure::invalid("query.path", "is a folder")),
        _ => Err(Failure::invalid("query.path", "is not a regular file")),
    }
}

/// The name in the two forms of RFC 6266, of which clients take the one they know.
fn disposition(path: &Relative) -> HeaderValue {
    let name = path.as_path().file_name().unwrap_or_default().to_string_lossy();
    let plain = |it: char| if it.is_ascii_alphanumeric() || " ()+,-._".contains(it) { it } else { '_' };
    let ascii: String = name.chars().map(plain).collect();
    let whole = utf8_percent_encode(&name, ESCAPED);
    HeaderValue::try_from(format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}"))
        .unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}
