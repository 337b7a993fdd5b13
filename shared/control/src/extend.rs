//! Extend: a new deadline, over row and name in one transaction.

use std::time::Duration;

use modbox_aws::table::Row;
use modbox_sandbox::{Event, UserId};

use crate::{Api, Error, Selector};

impl Api {
    /// Moves the deadline to `ttl` from now, later or earlier. A sandbox that is over is refused, by the time at which
    /// the write is sent: DynamoDB has no clock for one that arrives after the deadline.
    pub async fn extend(&self, owner: &UserId, selector: &Selector, ttl: Duration) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        let event = Event::Extend { expires_at: self.control.now() + ttl };
        Ok(self.control.change(row, &event).await?.row)
    }
}
