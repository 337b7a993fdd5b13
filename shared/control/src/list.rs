//! List: ids from an owner index, rows from a consistent read (rule 8).

use modbox_aws::table::{Loaded, Row};
use modbox_sandbox::{Status, UserId};

use crate::{Api, Error};

/// No answer holds more rows.
const MAX_ROWS: usize = 1000;

/// The caller's sandboxes, newest first.
#[derive(Debug)]
pub struct Listing {
    pub rows: Vec<Row>,
}

impl Api {
    /// Lists the caller's sandboxes of that status as of now, or all of them, ended ones included.
    ///
    /// The live ones are read from an index of their own, so those answers are whole however long the history is.
    pub async fn list(&self, owner: &UserId, status: Option<Status>) -> Result<Listing, Error> {
        let table = &self.control.table;
        let ids = match status {
            Some(Status::Provisioning | Status::Running) => table.owned_live(owner, usize::MAX).await?,
            Some(Status::Destroyed) | None => table.owned(owner, MAX_ROWS).await?,
        };
        let Loaded { mut rows, damaged } = table.load_many(&ids).await?;
        for (id, error) in damaged {
            tracing::error!(sandbox.id = %id, %error, "a sandbox is left out of a list");
        }
        let now = self.control.now();
        rows.retain(|row| status.is_none_or(|status| row.sandbox.status(now) == status));
        Ok(Listing { rows })
    }
}
