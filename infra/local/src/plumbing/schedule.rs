//! A function called by the clock, as a scheduled rule of EventBridge does it.

use std::sync::Arc;
use std::time::Duration;

use modbox_sandbox::{Clock, Ids};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::{Handler, INVOCATION_TIMEOUT, Running, invoke};
use crate::aws_json::{ACCOUNT, REGION};
use crate::event::{self, Event};

/// What is called, and where its times and ids come from.
#[derive(Clone)]
pub struct Schedule {
    pub name: String,
    pub period: Duration,
    pub function: Handler,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule")
            .field("name", &self.name)
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// Calls the function at once and then each period, never twice at a time.
    ///
    /// However many periods a slow call takes, one call follows it; a failure waits for the next period.
    pub fn start(self) -> Running {
        Running::start(|stop| self.run(stop))
    }

    async fn run(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.call().await {
                tracing::warn!(schedule = self.name, error, "a scheduled call failed");
            }
        }
    }

    /// Calls the function now, whatever the period says.
    pub async fn call(&self) -> Result<Value, String> {
        invoke(&self.function, self.event(), INVOCATION_TIMEOUT).await
    }

    fn event(&self) -> Value {
        let rule = format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", self.name);
        let event = Event {
            id: event::id(self.ids.as_ref()),
            source: "aws.events".to_owned(),
            detail_type: "Scheduled Event".to_owned(),
            at: self.clock.now(),
            resources: json!([rule]),
            detail: json!({}),
        };
        event.into_value()
    }
}
