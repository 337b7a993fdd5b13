//! GET /v2/sandboxes.

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use modbox_control::{Among, Api, Part, Position};
use modbox_sandbox::{Sandbox, SandboxId, Timestamp};
use serde::Serialize;

use super::{
    member::Member,
    wire::{Pagination, SandboxBody, status_updated_at},
};
use crate::{cursor, error::ApiError, query::Parameters};

pub(super) const DEFAULT_LIMIT: usize = 20;
/// As the vendor's SDKs have it.
pub(super) const MAX_LIMIT: usize = 50;

#[derive(Serialize)]
pub(super) struct Sandboxes {
    sandboxes: Vec<SandboxBody>,
    pagination: Pagination,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortBy {
    CreatedAt,
    Name,
    StatusUpdatedAt,
}

/// A place in a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Moment(Timestamp, SandboxId),
    Name(String),
}

/// What is asked for.
struct Query {
    sort_by: SortBy,
    descending: bool,
    limit: usize,
    after: Option<Key>,
    name_prefix: Option<String>,
    tag: Option<(String, String)>,
}

/// Lists the caller's sandboxes that live.
pub(super) async fn list(
    State(api): State<Api>,
    Member(caller): Member,
    asked: Parameters,
) -> Result<Json<Sandboxes>, ApiError> {
    let query = Query::read(asked)?;
    let keep = |sandbox: &Sandbox, now| !sandbox.is_over(now) && query.wants(sandbox);
    let (rows, next) = match (query.sort_by, query.descending, query.place()) {
        // The order in which they are stored.
        (SortBy::CreatedAt, true, after) => {
            let part = Part { after, limit: Some(query.limit) };
            let listing = api.select(&caller.user, Among::Live, part, keep).await?;
            (listing.rows, listing.next.map(cursor::write))
        }
        _ => {
            let rows = api.living(&caller.user, keep).await?;
            query.page(rows, |row| query.key(&row.sandbox, api.now()))
        }
    };
    let sandboxes: Vec<_> = rows.iter().map(|row| SandboxBody::new(&api, &row.sandbox)).collect();
    let pagination = Pagination { count: sandboxes.len(), next };
    Ok(Json(Sandboxes { sandboxes, pagination }))
}

impl Query {
    fn read(mut asked: Parameters) -> Result<Self, ApiError> {
        let sort_by =
            asked.one("sortBy", sort_by, "must be one of createdAt, name and statusUpdatedAt", "enum");
        let sort_by = sort_by.unwrap_or(SortBy::CreatedAt);
        let descending = asked.one("sortOrder", is_descending, "must be asc or desc", "enum").unwrap_or(true);
        let limit = asked.number("limit", 1..=MAX_LIMIT).unwrap_or(DEFAULT_LIMIT);
        let place = |text: &str| Key::read(text, sort_by);
        let after = asked.one("cursor", place, "must be the next of an earlier answer", "value_error");
        let name_prefix = asked.one("namePrefix", |text| Some(text.to_owned()), "", "");
        if name_prefix.is_some() && sort_by != SortBy::Name {
            asked.fault("namePrefix", "needs sortBy=name", "value_error");
        }
        let tag = asked.one("tags", tag, "must be one tag, as key:value", "value_error");
        asked.done()?;
        Ok(Self { sort_by, descending, limit, after, name_prefix, tag })
    }

    fn wants(&self, sandbox: &Sandbox) -> bool {
        let prefix = self.name_prefix.as_deref().unwrap_or_default();
        let tagged = |(name, value): &(String, String)| sandbox.labels.as_map().get(name) == Some(value);
        sandbox.name.as_str().starts_with(prefix) && self.tag.as_ref().is_none_or(tagged)
    }

    fn key(&self, sandbox: &Sandbox, now: Timestamp) -> Key {
        match self.sort_by {
            SortBy::CreatedAt => Key::Moment(sandbox.created_at, sandbox.id),
            SortBy::Name => Key::Name(sandbox.name.to_string()),
            SortBy::StatusUpdatedAt => Key::Moment(status_updated_at(sandbox, now), sandbox.id),
        }
    }

    fn place(&self) -> Option<Position> {
        match &self.after {
            Some(Key::Moment(created_at, id)) => Some(Position { created_at: *created_at, id: *id }),
            Some(Key::Name(_)) | None => None,
        }
    }

    /// The page of these in their order, and where the next begins.
    fn page<T>(&self, all: Vec<T>, key: impl Fn(&T) -> Key) -> (Vec<T>, Option<String>) {
        let mut keyed: Vec<(Key, T)> = all.into_iter().map(|one| (key(&one), one)).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        if self.descending {
            keyed.reverse();
        }
        if let Some(after) = &self.after {
            keyed.retain(|(key, _)| if self.descending { key < after } else { key > after });
        }
        let more = keyed.len() > self.limit;
        keyed.truncate(self.limit);
        let next = keyed.last().filter(|_| more).map(|(key, _)| key.write());
        (keyed.into_iter().map(|(_, one)| one).collect(), next)
    }
}

impl Key {
    fn write(&self) -> String {
        match self {
            Self::Moment(at, id) => cursor::write(Position { created_at: *at, id: *id }),
            Self::Name(name) => URL_SAFE_NO_PAD.encode(name),
        }
    }

    fn read(text: &str, sort_by: SortBy) -> Option<Self> {
        match sort_by {
            SortBy::CreatedAt | SortBy::StatusUpdatedAt => {
                cursor::read(text).map(|place| Self::Moment(place.created_at, place.id))
            }
            SortBy::Name => String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok().map(Self::Name),
        }
    }
}

fn sort_by(text: &str) -> Option<SortBy> {
    match text {
        "createdAt" => Some(SortBy::CreatedAt),
        "name" => Some(SortBy::Name),
        "statusUpdatedAt" => Some(SortBy::StatusUpdatedAt),
        // `currentSnapshotId` orders by what no sandbox has here.
        _ => None,
    }
}

fn is_descending(text: &str) -> Option<bool> {
    match text {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

fn tag(text: &str) -> Option<(String, String)> {
    text.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()))
}
