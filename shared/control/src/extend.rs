//! Extend: a new deadline, over row and name in one transaction.

use modbox_aws::table::Row;
use modbox_sandbox::{CLOSING, Deadline, Event, Timestamp, UserId};
use tokio::time::timeout;

use crate::{Api, Error, Selector};

/// No sandbox is given more time than this at once.
pub const MAX_TTL: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

impl Api {
    /// Moves the deadline, later or earlier. A sandbox that is over is refused, and so is an extension in the last
    /// [`CLOSING`] before the deadline: then the expiry is under way.
    ///
    /// An extension that was answered holds: it was written early enough for the task's sidecar to hear of it. One that
    /// could not be written by then is given up. Should it be written after all, that is either before anybody was told
    /// of the end, or in vain: whoever is told of an end has it written first ([`Api::get`]).
    pub async fn extend(&self, owner: &UserId, selector: &Selector, to: Deadline) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        let now = self.control.now();
        if let (Deadline::Later(time), Some(at)) = (to, row.sandbox.expires_at)
            && (at + time).since(now) > MAX_TTL
        {
            return Err(Error::TooLong);
        }
        let closes_in = row.sandbox.expires_at.map(|at: Timestamp| (at - CLOSING).since(now));
        let event = Event::Extend { to };
        let change = self.control.change(row, &event);
        let changed = match closes_in.filter(|left| !left.is_zero()) {
            Some(left) => timeout(left, change).await.map_err(|_| Error::TooLate)?,
            None => change.await,
        };
        Ok(changed?.row)
    }
}
