//! Label: other labels in place of those there are.

use modbox_aws::table::Row;
use modbox_sandbox::{Event, Labels, UserId};

use crate::{Api, Error, Selector};

impl Api {
    /// Replaces the labels; a sandbox that is over keeps its own and is refused. Idempotent.
    pub async fn label(&self, owner: &UserId, selector: &Selector, labels: Labels) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        Ok(self.control.change(row, &Event::Label { labels }).await?.row)
    }
}
