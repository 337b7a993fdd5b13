//! Observe: what ECS saw, folded into an existing row.

use modbox_aws::tasks::{Observed, Sighting};
use modbox_sandbox::Event;

use crate::{Control, Error};

/// What the `observer` function does. It creates no row and decides nothing.
#[derive(Clone, Debug)]
pub struct Observer {
    control: Control,
    stack: String,
}

impl Observer {
    pub fn new(control: Control, stack: String) -> Self {
        Self { control, stack }
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
        match self.control.change(row, &Event::TaskSeen(seen)).await {
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(Error::Refused(refusal)) => {
                tracing::warn!(sandbox.id = %id, %refusal, "task of another incarnation was seen");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
