//! List: ids from an owner index, rows from a consistent read (rule 8).

use modbox_aws::table::{Damaged, Loaded, Position, Row};
use modbox_sandbox::{SandboxId, Status, UserId};

use crate::{Api, Error};

/// The most that is read for one page.
pub const MAX_PAGE: usize = 1000;

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

impl Api {
    /// Lists the caller's sandboxes of that status as of now, or all of them, ended ones included.
    ///
    /// The live ones are read from an index of their own and, unless a part is asked for, whole. Anything else is read
    /// in pages; of one that is narrowed by a status fewer rows may be left, even none, with more to come.
    pub async fn list(&self, owner: &UserId, status: Option<Status>, part: Part) -> Result<Listing, Error> {
        let table = &self.control.table;
        let live = matches!(status, Some(Status::Provisioning | Status::Running));
        let limit = match part {
            Part { limit: Some(limit), .. } => limit.min(MAX_PAGE),
            Part { limit: None, after: None } if live => usize::MAX,
            Part { limit: None, .. } => MAX_PAGE,
        };
        // One more than is given tells whether anything follows.
        let to_read = limit.saturating_add(1);
        let mut entries = match live {
            true => table.owned_live(owner, part.after, to_read).await?,
            false => table.owned(owner, part.after, to_read).await?,
        };
        let more = entries.len() > limit;
        entries.truncate(limit);
        let next = entries.last().copied().filter(|_| more);
        Ok(Listing { rows: self.rows(entries, status).await?, next })
    }

    /// The rows behind index entries, as far as they are of that status. An index lags: a row that is gone is left out.
    async fn rows(&self, entries: Vec<Position>, status: Option<Status>) -> Result<Vec<Row>, Error> {
        let ids: Vec<SandboxId> = entries.iter().map(|entry| entry.id).collect();
        let Loaded { mut rows, damaged } = self.control.table.load_many(&ids).await?;
        for Damaged { id, error, .. } in damaged {
            tracing::error!(sandbox.id = %id, %error, "a sandbox is left out of a list");
        }
        let now = self.control.now();
        rows.retain(|row| status.is_none_or(|status| row.sandbox.status(now) == status));
        Ok(rows)
    }
}
