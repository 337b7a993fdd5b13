//! Destroy: accepted in every state, also before the task exists.

use modbox_aws::table::Row;
use modbox_sandbox::{Event, UserId};

use crate::{Api, Error, Selector};

impl Api {
    /// Ends the sandbox for every reader, for good; its task is stopped by the stream. Idempotent.
    pub async fn destroy(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        let event = Event::Destroy { by: owner.clone() };
        Ok(self.control.change(row, &event).await?.row)
    }
}
