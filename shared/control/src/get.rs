//! Get: one consistent read, two by name.

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
    /// The caller's sandbox. Somebody else's is not found.
    pub async fn get(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let id = match selector {
            Selector::Id(id) => *id,
            Selector::Name(name) => self.control.table.find(owner, name).await?.ok_or(Error::NotFound)?,
        };
        let row = self.control.load(id).await?;
        if row.sandbox.owner == *owner { Ok(row) } else { Err(Error::NotFound) }
    }
}
