//! Observe: what ECS saw, folded into an existing row.

use modbox_aws::{
    bus::{Bus, Moment},
    tasks::{Observed, Sighting},
};
use modbox_sandbox::{Event, State, TaskPhase};

use crate::{Control, Error};

/// What the `observer` function does. It creates no row and decides nothing.
#[derive(Clone, Debug)]
pub struct Observer {
    control: Control,
    bus: Bus,
    stack: String,
}

impl Observer {
    pub fn new(control: Control, bus: Bus, stack: String) -> Self {
        Self { control, bus, stack }
    }

    /// Folds one state change in. Idempotent, and indifferent to order: ECS's version tells what is news.
    pub async fn observe(&self, observed: &Observed) -> Result<(), Error> {
        let Some(Sighting { id, seen, .. }) = observed.sighting(&self.stack) else {
            return Ok(());
        };
        let row = match self.control.load(id).await {
            Err(Error::NotFound) => return Ok(()),
            row => row?,
        };
        let phase = seen.phase.clone();
        let row = match self.control.change(row, &Event::TaskSeen(seen)).await {
            Ok(changed) => changed.row,
            Err(Error::NotFound) => return Ok(()),
            Err(Error::Refused(refusal)) => {
                tracing::warn!(sandbox.id = %id, %refusal, "task of another incarnation was seen");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // By state, not by effect: the commit may have been another's, or an earlier delivery's.
        let runs = matches!(phase, TaskPhase::Running | TaskPhase::Ready);
        if runs && matches!(row.sandbox.state, State::Running(_)) {
            self.bus.publish(&row.sandbox, &Moment::Running).await?;
        }
        Ok(())
    }
}
