//! Destroy, kill, stop: the ends that somebody asks for, accepted in every state, also before the task exists.

use modbox_aws::table::Row;
use modbox_sandbox::{Event, UserId};

use crate::{Api, Error, Selector};

/// A sandbox that is over, and nothing else that anybody asked for.
#[derive(Debug)]
pub struct Ended {
    pub row: Row,
    /// Whether it was this wish that had it go: until then it lived, or was over without that anybody had asked for that.
    pub by_this: bool,
}

impl Api {
    /// Ends the sandbox for every reader, for good; its task is stopped by the stream. Idempotent.
    ///
    /// One that was over and not dismissed ([`modbox_sandbox::Sandbox::is_dismissed`]) is dismissed by it.
    pub async fn destroy(&self, owner: &UserId, selector: &Selector) -> Result<Ended, Error> {
        let row = self.get(owner, selector).await?;
        self.destroy_found(row).await
    }

    /// Ends the sandbox as [`Api::destroy`] does, with `killed` as its reason, and has its task end without any grace that
    /// ECS does not insist on. Idempotent.
    pub async fn kill(&self, owner: &UserId, selector: &Selector) -> Result<Ended, Error> {
        let row = self.get(owner, selector).await?;
        self.kill_found(row).await
    }

    /// Destroys what [`Api::get`] found, for whoever decides by that whether to.
    pub async fn destroy_found(&self, row: Row) -> Result<Ended, Error> {
        let by = row.sandbox.owner.clone();
        self.end(row, Event::Destroy { by }).await
    }

    /// Kills what [`Api::get`] found, for whoever decides by that whether to.
    pub async fn kill_found(&self, row: Row) -> Result<Ended, Error> {
        let by = row.sandbox.owner.clone();
        self.end(row, Event::Kill { by }).await
    }

    /// Ends the sandbox as [`Api::destroy`] does, with `stopped` as its reason, and does not dismiss it. Idempotent.
    pub async fn stop(&self, owner: &UserId, selector: &Selector) -> Result<Row, Error> {
        let row = self.get(owner, selector).await?;
        Ok(self.control.change(row, &Event::Stop { by: owner.clone() }).await?.row)
    }

    async fn end(&self, row: Row, event: Event) -> Result<Ended, Error> {
        let changed = self.control.change(row, &event).await?;
        Ok(Ended { row: changed.row, by_this: changed.by_this })
    }
}
