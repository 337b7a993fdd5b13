//! ECS task state changes to a function, as a rule of EventBridge delivers them.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::{Handler, INVOCATION_TIMEOUT, Running, invoke};

/// How many events may be in the function at a time.
const CONCURRENCY: usize = 16;

/// Delivers each event at least once, in no order, and without limit of attempts.
///
/// The channel is unbounded: the sender is the ECS stand-in, whose tasks must not stand still because a function is
/// slow, and no event may be lost. What waits is bounded by the tasks there are, eight changes each.
///
/// It ends by itself when every sender is gone and everything is delivered. What is not delivered at a shutdown is
/// lost, as it would be with the process; the schedule repairs that.
pub fn start(events: mpsc::UnboundedReceiver<Value>, function: Handler) -> Events {
    let (undelivered, watched) = watch::channel(0);
    let running = Running::start(|stop| run(events, function, undelivered, stop));
    Events { running, undelivered: watched }
}

/// Deliveries under way.
#[derive(Debug)]
pub struct Events {
    running: Running,
    undelivered: watch::Receiver<usize>,
}

impl Events {
    /// Waits until every event that was taken from the channel is delivered.
    pub async fn delivered(&self) {
        // An error means that it has ended, with nothing under way.
        let _ = self.undelivered.clone().wait_for(|count| *count == 0).await;
    }

    /// Starts no more invocations and waits for those in flight.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }

    /// Waits until every sender is gone and everything is delivered.
    pub async fn finished(self) {
        self.running.finished().await;
    }
}

async fn run(
    mut events: mpsc::UnboundedReceiver<Value>,
    function: Handler,
    undelivered: watch::Sender<usize>,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let mut deliveries = JoinSet::new();
    loop {
        undelivered.send_replace(deliveries.len());
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = deliveries.join_next() => {}
            event = events.recv() => match event {
                Some(event) => {
                    let delivery = Delivery {
                        function: Arc::clone(&function),
                        slots: Arc::clone(&slots),
                        stop: stop.clone(),
                    };
                    deliveries.spawn(delivery.perform(event.to_string()));
                }
                None => break,
            },
        }
    }
    while deliveries.join_next().await.is_some() {}
}

struct Delivery {
    function: Handler,
    slots: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Delivery {
    /// Holds a slot only while the function runs, so that events which fail do not keep others waiting. They wait as
    /// text, which takes a fraction of the memory.
    async fn perform(self, event: String) {
        let mut backoff = Backoff::new();
        loop {
            let slot = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                slot = self.slots.acquire() => slot,
            };
            // It was written from a `Value`.
            let delivered = serde_json::from_str(&event).unwrap_or_default();
            let Err(error) = invoke(&self.function, delivered, INVOCATION_TIMEOUT).await else {
                return;
            };
            drop(slot);
            tracing::warn!(error, "an event failed and will be repeated");
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(backoff.pause()) => {}
            }
        }
    }
}
