//! List: ids from an owner index, rows from a consistent read (rule 8).

use futures::{StreamExt as _, TryStreamExt as _, stream};
use modbox_aws::table::{Damaged, Loaded, Position, Row};
use modbox_sandbox::{Sandbox, SandboxId, Status, Timestamp, UserId};

use crate::{Api, Error};

/// The most that is read for one page.
pub const MAX_PAGE: usize = 1000;

/// How many ends of a page are written at once.
const AT_ONCE: usize = 10;

/// Which part of a list is asked for. By default all of it, as far as it is given at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// What comes after this position; from the newest on if absent.
    pub after: Option<Position>,
    /// How many entries of the index to read, at most [`MAX_PAGE`].
    pub limit: Option<usize>,
}

/// The caller's sandboxes, newest first.
#[derive(Debug)]
pub struct Listing {
    pub rows: Vec<Row>,
    /// Where to go on, if anything may follow.
    pub next: Option<Position>,
}

/// Which of the caller's sandboxes to look through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Those that live.
    Live,
    /// The ended ones too, as long as they are kept.
    All,
}

/// How many entries are read at once where more must be read than was asked for.
const FURTHER: usize = 100;

impl Api {
    /// Selects the caller's sandboxes that `keep` wants, newest first, in pages.
    ///
    /// A page is full unless nothing follows, or unless [`MAX_PAGE`] entries were read for it: then it goes on after them.
    pub async fn select(
        &self,
        owner: &UserId,
        among: Among,
        part: Part,
        keep: impl Fn(&Sandbox, Timestamp) -> bool,
    ) -> Result<Listing, Error> {
        let limit = part.limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let (mut rows, mut next, mut to_read) = (Vec::new(), part.after, limit);
        let mut budget = MAX_PAGE;
        loop {
            let to_load = to_read.min(budget);
            let mut entries = self.entries(owner, among, (next, to_load + 1)).await?;
            let more = entries.len() > to_load;
            entries.truncate(to_load);
            next = entries.last().copied().filter(|_| more);
            let found = self.rows(entries, None).await?;
            let now = self.control.now();
            rows.extend(found.into_iter().filter(|row| keep(&row.sandbox, now)));
            budget -= to_load;
            if rows.len() >= limit || next.is_none() || budget == 0 {
                break;
            }
            to_read = FURTHER;
        }
        if rows.len() > limit {
            rows.truncate(limit);
            next = rows.last().map(|row| position(&row.sandbox));
        }
        Ok(Listing { rows, next })
    }

    /// All of the caller's sandboxes that live and that `keep` wants, newest first.
    pub async fn living(
        &self,
        owner: &UserId,
        keep: impl Fn(&Sandbox, Timestamp) -> bool,
    ) -> Result<Vec<Row>, Error> {
        let (mut rows, mut part) = (Vec::new(), Part::default());
        loop {
            let listing = self.select(owner, Among::Live, part, &keep).await?;
            rows.extend(listing.rows);
            if listing.next.is_none() {
                return Ok(rows);
            }
            part.after = listing.next;
        }
    }

    async fn entries(
        &self,
        owner: &UserId,
        among: Among,
        (after, limit): (Option<Position>, usize),
    ) -> Result<Vec<Position>, Error> {
        let table = &self.control.table;
        Ok(match among {
            Among::Live => table.owned_live(owner, after, limit).await?,
            Among::All => table.owned(owner, after, limit).await?,
        })
    }

    /// Lists the caller's sandboxes of that status as of now, or all of them, ended ones included.
    ///
    /// The live ones are read from an index of their own and, unless a part is asked for, whole. Anything else is read
    /// in pages; of one that is narrowed by a status fewer rows may be left, even none, with more to come.
    pub async fn list(&self, owner: &UserId, status: Option<Status>, part: Part) -> Result<Listing, Error> {
        let among = match status {
            Some(Status::Provisioning | Status::Running) => Among::Live,
            Some(Status::Destroyed) | None => Among::All,
        };
        let limit = match part {
            Part { limit: Some(limit), .. } => limit.min(MAX_PAGE),
            Part { limit: None, after: None } if among == Among::Live => usize::MAX,
            Part { limit: None, .. } => MAX_PAGE,
        };
        // One more than is given tells whether anything follows.
        let mut entries = self.entries(owner, among, (part.after, limit.saturating_add(1))).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().copied().filter(|_| more);
        Ok(Listing { rows: self.rows(entries, status).await?, next })
    }

    /// The rows behind index entries, as far as they are of that status. An index lags: a row that is gone is left out.
    async fn rows(&self, entries: Vec<Position>, status: Option<Status>) -> Result<Vec<Row>, Error> {
        let ids: Vec<SandboxId> = entries.iter().map(|entry| entry.id).collect();
        let Loaded { rows, damaged } = self.control.table.load_many(&ids).await?;
        for Damaged { id, error, .. } in damaged {
            tracing::error!(sandbox.id = %id, %error, "a sandbox is left out of a list");
        }
        let mut rows = self.as_of_now(rows).await?;
        let now = self.control.now();
        rows.retain(|row| status.is_none_or(|status| row.sandbox.status(now) == status));
        Ok(rows)
    }

    /// The same rows, with the ends of those written whose deadline has passed.
    async fn as_of_now(&self, rows: Vec<Row>) -> Result<Vec<Row>, Error> {
        let current = async |row: Row| match self.control.as_of_now(row).await {
            Ok(row) => Ok(Some(row)),
            Err(Error::NotFound) => Ok(None),
            Err(error) => Err(error),
        };
        let rows: Vec<Option<Row>> = stream::iter(rows).map(current).buffered(AT_ONCE).try_collect().await?;
        Ok(rows.into_iter().flatten().collect())
    }
}

fn position(sandbox: &Sandbox) -> Position {
    Position { created_at: sandbox.created_at, id: sandbox.id }
}
