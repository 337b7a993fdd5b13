//! Extend: a new deadline, over row and name in one transaction.

use std::time::Duration;

use modbox_aws::table::Row;
use modbox_sandbox::{CLOSING, Deadline, Event, Sandbox, Timestamp, UserId};

use crate::{Api, Error, Selector};

/// No sandbox is given more time than this at once.
pub const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);

impl Api {
    /// Moves the deadline, later or earlier. A sandbox that is over is refused, and so is an extension in the last
    /// [`CLOSING`] before the deadline: then the expiry is under way.
    ///
    /// An extension that was answered holds: it was written early enough for the task's sidecar to hear of it. One that
    /// could not be written by then is given up. Should it be written after all, that is either before anybody was told
    /// of the end, or in vain: whoever is told of an end has it written first ([`Api::get`]).
    pub async fn extend(&self, owner: &UserId, selector: &Selector, to: Deadline) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        let in_time = |sandbox: &Sandbox, now| in_time(sandbox, to, now);
        Ok(self.control.change_within(row, &Event::Extend { to }, in_time).await?.row)
    }
}

/// Within which time the deadline can be moved to there, if there is one; a longer life than any may have is refused.
fn in_time(sandbox: &Sandbox, to: Deadline, now: Timestamp) -> Result<Option<Duration>, Error> {
    let Some(at) = sandbox.expires_at else { return Ok(None) };
    if let Deadline::Later(time) = to
        && (at + time).since(now) > MAX_TTL
    {
        return Err(Error::TooLong);
    }
    let left = (at - CLOSING).since(now);
    // In the last moments the deadline can still come nearer.
    Ok(Some(left).filter(|left| !left.is_zero()))
}
