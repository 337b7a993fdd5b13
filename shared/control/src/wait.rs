//! Wait: a long poll of the row.

use std::time::Duration;

use modbox_aws::table::Row;
use modbox_sandbox::{Status, UserId};

use crate::{Api, Error, Selector};

/// How a wait ended.
#[derive(Debug)]
pub struct Waited {
    pub row: Row,
    pub status: Status,
    pub elapsed: Duration,
}

/// The first wait between two reads; each is half as long again as the one before.
const FIRST_POLL: Duration = Duration::from_millis(50);
/// The longest wait between two reads: how late an answer may be.
const LONGEST_POLL: Duration = Duration::from_secs(1);

impl Api {
    /// Answers as soon as the sandbox runs or is over, by `timeout` at the latest.
    ///
    /// It holds no thread, and reads the row ever less often, but at least each second.
    pub async fn wait(
        &self,
        owner: &UserId,
        selector: &Selector,
        timeout: Duration,
    ) -> Result<Waited, Error> {
        let started = self.control.now();
        let mut row = self.get(owner, selector).await?;
        let selector = Selector::Id(row.sandbox.id);
        let mut pause = FIRST_POLL;
        loop {
            let now = self.control.now();
            let elapsed = now.since(started);
            let status = row.sandbox.status(now);
            if status != Status::Provisioning || elapsed >= timeout {
                return Ok(Waited { row, status, elapsed });
            }
            tokio::time::sleep(pause.min(timeout - elapsed)).await;
            pause = (pause * 3 / 2).min(LONGEST_POLL);
            row = self.get(owner, &selector).await?;
        }
    }
}
