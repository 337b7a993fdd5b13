//! Kill: destroy, recorded as force.

use modbox_aws::table::Row;
use modbox_sandbox::{Event, UserId};

use crate::{Api, Error, Selector};

impl Api {
    /// Ends the sandbox as [`Api::destroy`] does, with `killed` as its reason. Idempotent.
    pub async fn kill(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        let event = Event::Kill { by: owner.clone() };
        Ok(self.control.change(row, &event).await?.row)
    }
}
