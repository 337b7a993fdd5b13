//! Get: one consistent read, two by name, at most three where a name may read like an id; and the write of its end by whoever first finds that its deadline has passed.

use modbox_aws::table::Row;
use modbox_sandbox::{Name, SandboxId, UserId};

use crate::{Api, Error};

/// How a caller names a sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    Id(SandboxId),
    /// The newest of that name, also after its end.
    Name(Name),
    /// An id, or else, where nothing of the caller's has it, a name that reads like one.
    IdOrName(SandboxId, Name),
}

impl Api {
    /// The caller's sandbox, its end written if its deadline has passed. Somebody else's is not found.
    pub async fn get(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let row = match selector {
            Selector::Id(id) => self.owned(owner, *id).await?,
            Selector::Name(name) => self.named(owner, name).await?,
            Selector::IdOrName(id, name) => match self.owned(owner, *id).await {
                Err(Error::NotFound) => self.named(owner, name).await?,
                row => row?,
            },
        };
        self.control.as_of_now(row).await
    }

    async fn owned(&self, owner: &UserId, id: SandboxId) -> Result<Row, Error> {
        let row = self.control.load(id).await?;
        if row.sandbox.owner == *owner { Ok(row) } else { Err(Error::NotFound) }
    }

    async fn named(&self, owner: &UserId, name: &Name) -> Result<Row, Error> {
        let id = self.control.table.find(owner, name).await?.ok_or(Error::NotFound)?;
        self.owned(owner, id).await
    }

    /// The token that the sandbox's runtime accepts, whatever other its creator has chosen beside it.
    pub fn access_token(&self, row: &Row) -> Result<String, Error> {
        self.keys.access_token(&row.key_id, row.sandbox.id)
    }
}
