//! Get: one consistent read, two by name; and the write of its end by whoever first finds that its deadline has passed.

use modbox_aws::table::Row;
use modbox_sandbox::{Name, SandboxId, UserId};

use crate::{Api, Error};

/// How a caller names a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Id(SandboxId),
    /// The newest of that name, also after its end.
    Name(Name),
}

impl Api {
    /// The caller's sandbox, its end written if its deadline has passed. Somebody else's is not found.
    pub async fn get(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let id = match selector {
            Selector::Id(id) => *id,
            Selector::Name(name) => self.control.table.find(owner, name).await?.ok_or(Error::NotFound)?,
        };
        let row = self.control.load(id).await?;
        if row.sandbox.owner != *owner {
            return Err(Error::NotFound);
        }
        self.control.as_of_now(row).await
    }

    /// The token that the sandbox's runtime accepts, whatever other its creator has chosen beside it.
    pub fn access_token(&self, row: &Row) -> Result<String, Error> {
        self.keys.access_token(&row.key_id, row.sandbox.id)
    }
}
