//! `GET /modbox/api/files`: what is in a folder.

use std::collections::BinaryHeap;
use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::fs::{AtFlags, Dir, statat};
use rustix::io::Errno;
use serde::Serialize;

use super::entry::{Entry, text};
use super::partial::is_partial;
use super::query::Parameters;
use super::workspace::{Relative, Workspace};
use super::{on_disk, refused};
use crate::Runtime;
use crate::failure::Failure;

const LIMITS: RangeInclusive<usize> = 1..=1000;

/// A part of a folder, by name; links are shown as what they are. Memory is bounded by the part, whatever the folder.
#[derive(Debug, Serialize)]
pub(crate) struct Listing {
    path: String,
    entries: Vec<Entry>,
    /// What to ask with for the rest; null where there is none.
    next_cursor: Option<String>,
}

struct Asked {
    path: Relative,
    limit: usize,
    /// The last name that was shown before.
    after: Option<OsString>,
}

pub(crate) async fn list(
    State(runtime): State<Arc<Runtime>>,
    parameters: Parameters,
) -> Result<Json<Listing>, Failure> {
    let workspace = runtime.workspace.clone();
    let asked = Asked {
        path: parameters.folder(&workspace)?,
        limit: limit(parameters.get("limit")?)?,
        after: parameters.get("cursor")?.map(name).transpose()?,
    };
    on_disk(move || read(&workspace, &asked)).await.map(Json)
}

fn limit(given: Option<&str>) -> Result<usize, Failure> {
    let Some(given) = given else { return Ok(*LIMITS.end()) };
    let limit = given.parse().ok().filter(|limit| LIMITS.contains(limit));
    let issue = || format!("is not a number from {} to {}", LIMITS.start(), LIMITS.end());
    limit.ok_or_else(|| Failure::invalid("query.limit", issue()))
}

fn cursor(name: &OsStr) -> String {
    URL_SAFE_NO_PAD.encode(name.as_bytes())
}

fn name(cursor: &str) -> Result<OsString, Failure> {
    let foreign = |_| Failure::invalid("query.cursor", "is not a `next_cursor` of a list");
    URL_SAFE_NO_PAD.decode(cursor).map(OsString::from_vec).map_err(foreign)
}

fn read(workspace: &Workspace, asked: &Asked) -> Result<Listing, Failure> {
    let folder = workspace.folder(&asked.path).map_err(|errno| match errno {
        Errno::NOTDIR => Failure::invalid("query.path", "is not a folder"),
        errno => refused(errno),
    })?;
    let mut folder = Dir::new(folder).map_err(refused)?;
    let mut names = first_names(&mut folder, asked).map_err(refused)?;
    let more = names.len() > asked.limit;
    names.truncate(asked.limit);
    let next_cursor = names.last().filter(|_| more).map(|last| cursor(last));
    let folder = folder.fd().map_err(refused)?;
    // What was deleted in the meantime is left out.
    let entries = names.iter().filter_map(|name| {
        let stat = statat(folder, name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Entry::new(&asked.path.below(name), &stat))
    });
    Ok(Listing { path: text(asked.path.as_path()), entries: entries.collect(), next_cursor })
}

/// The names after the cursor in their order, and one more than are asked for if there are that many.
fn first_names(folder: &mut Dir, asked: &Asked) -> Result<Vec<OsString>, Errno> {
    let mut first = BinaryHeap::new();
    while let Some(entry) = folder.read() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        let shown = asked.after.as_deref().is_some_and(|last| name <= last);
        if shown || name == "." || name == ".." || is_partial(name) {
            continue;
        }
        first.push(name.to_owned());
        if first.len() > asked.limit + 1 {
            first.pop();
        }
    }
    Ok(first.into_sorted_vec())
}
