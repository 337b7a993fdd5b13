//! Destroy, kill, stop: the ends that somebody asks for, accepted in every state, also before the task exists.

use modbox_aws::table::Row;
use modbox_sandbox::{Effect, EndReason, Event, UserId};

use crate::{Api, Error, Selector};

/// A sandbox that is over, as somebody wished.
#[derive(Debug)]
pub struct Ended {
    pub row: Row,
    /// Whether it was this wish that ended it. Not so if it was over before.
    pub by_this: bool,
    /// Whether it was this wish that dismissed it: it lived, or was over without that anybody had asked for it to go.
    pub dismissed_by_this: bool,
}

impl Api {
    /// Ends the sandbox for every reader, for good; its task is stopped by the stream. Idempotent.
    ///
    /// One that was over and not dismissed ([`modbox_sandbox::Sandbox::is_dismissed`]) is dismissed by it.
    pub async fn destroy(&self, owner: &UserId, selector: &Selector) -> Result<Ended, Error> {
        self.end(owner, selector, Event::Destroy { by: owner.clone() }).await
    }

    /// Ends the sandbox as [`Api::destroy`] does, with `killed` as its reason, and has its task end without any grace that
    /// ECS does not insist on. Idempotent.
    pub async fn kill(&self, owner: &UserId, selector: &Selector) -> Result<Ended, Error> {
        self.end(owner, selector, Event::Kill { by: owner.clone() }).await
    }

    /// Ends the sandbox as [`Api::destroy`] does, with `stopped` as its reason, and does not dismiss it. Idempotent.
    pub async fn stop(&self, owner: &UserId, selector: &Selector) -> Result<Ended, Error> {
        self.end(owner, selector, Event::Stop { by: owner.clone() }).await
    }

    async fn end(&self, owner: &UserId, selector: &Selector, event: Event) -> Result<Ended, Error> {
        let row = self.get(owner, selector).await?;
        let changed = self.control.change(row, &event).await?;
        let end = changed.row.sandbox.end(self.control.now());
        // It may have expired since it was read.
        let expired = end.is_some_and(|end| end.reason == EndReason::Expired);
        let by_this = changed.effects.contains(&Effect::PublishEnded) && !expired;
        let dismissed_by_this = changed.by_this && changed.row.sandbox.is_dismissed();
        Ok(Ended { row: changed.row, by_this, dismissed_by_this })
    }
}
