//! One shard of one mapping: its records in their order, delivered one batch at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::invoke;
use super::mapping::{Mapping, Outcome};
use crate::dynamo::StreamRecord;

type Batch = Vec<Waiting>;

/// A record that is not acknowledged.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) sequence: i64,
    /// The record that Lambda would deliver, as text, which takes a fraction of the memory.
    pub(super) event: Arc<str>,
}

#[derive(Debug)]
pub(super) struct Lane {
    mapping: Arc<Mapping>,
    waiting: Mutex<VecDeque<Waiting>>,
    arrived: Notify,
    /// Told whenever records are acknowledged.
    progress: Arc<Notify>,
}

impl Lane {
    pub(super) fn new(mapping: Arc<Mapping>, progress: Arc<Notify>) -> Self {
        Self { mapping, waiting: Mutex::default(), arrived: Notify::new(), progress }
    }

    pub(super) fn push(&self, record: Waiting) {
        self.waiting().push_back(record);
        self.arrived.notify_one();
    }

    /// The position of the oldest record that is not acknowledged.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.waiting().front().map(|record| record.sequence)
    }

    /// Delivers until it is stopped, then ends the invocation in flight.
    pub(super) async fn work(self: Arc<Self>, stop: CancellationToken) {
        let mut pace = Pace::new(self.mapping.batch_size);
        loop {
            let batch = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                batch = self.batch(pace.size) => batch,
            };
            let outcome = self.deliver(&batch).await;
            self.acknowledge(match outcome {
                Outcome::Done => batch.len(),
                Outcome::FailedFrom(place) => place,
                Outcome::Failed => 0,
            });
            let Some(pause) = pace.after(outcome, batch.len()) else {
                continue;
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// The oldest records, once there are any. They stay in the queue until they are acknowledged.
    async fn batch(&self, size: usize) -> Batch {
        loop {
            let arrived = self.arrived.notified();
            let batch: Batch = self.waiting().iter().take(size).cloned().collect();
            if !batch.is_empty() {
                return batch;
            }
            arrived.await;
        }
    }

    async fn deliver(&self, batch: &Batch) -> Outcome {
        // Each was written from a `Value`.
        let read = |record: &Waiting| serde_json::from_str(&record.event).unwrap_or_default();
        let records = Value::Array(batch.iter().map(read).collect());
        let event = Value::Object(Map::from_iter([("Records".to_owned(), records)]));
        match invoke(&self.mapping.function, event, self.mapping.timeout).await {
            Ok(answer) => {
                let sequences: Vec<String> =
                    batch.iter().map(|record| StreamRecord::sequence_number(record.sequence)).collect();
                Outcome::of(&answer, &sequences)
            }
            Err(error) => {
                let records = batch.len();
                tracing::warn!(
                    mapping = self.mapping.name,
                    records,
                    error,
                    "a batch failed and will be repeated"
                );
                Outcome::Failed
            }
        }
    }

    fn acknowledge(&self, count: usize) {
        if count > 0 {
            self.waiting().drain(..count);
            self.progress.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much to deliver next, and after which pause.
#[derive(Debug)]
struct Pace {
    size: usize,
    largest: usize,
    errors: u32,
    backoff: Backoff,
}

impl Pace {
    fn new(largest: usize) -> Self {
        let largest = largest.max(1);
        Self { size: largest, largest, errors: 0, backoff: Backoff::new() }
    }

    /// Success grows the batch again. What a function names is repeated with the rest of its batch. A batch whose
    /// function fails twice is halved, until what is before a bad record gets through.
    fn after(&mut self, outcome: Outcome, delivered: usize) -> Option<Duration> {
        match outcome {
            Outcome::Done => {
                self.size = (self.size * 2).min(self.largest);
                self.errors = 0;
                self.backoff.reset();
                return None;
            }
            Outcome::FailedFrom(place) => {
                self.size = delivered.saturating_sub(place).max(1);
                self.errors = 0;
                if place > 0 {
                    self.backoff.reset();
                }
            }
            Outcome::Failed => {
                self.errors += 1;
                if self.errors > 1 && delivered > 1 {
                    self.size = delivered.div_ceil(2);
                    self.backoff.reset();
                }
            }
        }
        Some(self.backoff.pause())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(pause: Option<Duration>) -> Option<u128> {
        pause.map(|pause| pause.as_millis())
    }

    #[test]
    fn a_batch_that_fails_twice_is_halved_down_to_one_record() {
        let mut pace = Pace::new(100);
        let mut sizes = Vec::new();
        for _ in 0..8 {
            assert_eq!(millis(pace.after(Outcome::Failed, pace.size)), Some(100));
            sizes.push(pace.size);
        }
        assert_eq!(sizes, [100, 50, 25, 13, 7, 4, 2, 1]);
    }

    #[test]
    fn a_record_that_fails_alone_waits_longer_each_time_until_it_succeeds() {
        let mut pace = Pace::new(1);
        let pauses: Vec<_> = (0..3).map(|_| millis(pace.after(Outcome::Failed, 1))).collect();
        assert_eq!(pauses, [Some(100), Some(200), Some(400)]);
        assert_eq!(pace.after(Outcome::Done, 1), None);
        assert_eq!(millis(pace.after(Outcome::Failed, 1)), Some(100));
    }

    #[test]
    fn what_is_left_of_a_batch_is_repeated_without_more() {
        let mut pace = Pace::new(100);
        pace.after(Outcome::FailedFrom(60), 100);
        assert_eq!(pace.size, 40);
        pace.after(Outcome::Done, 40);
        assert_eq!(pace.size, 80);
        pace.after(Outcome::Done, 80);
        assert_eq!(pace.size, 100);
    }

    #[test]
    fn progress_ends_the_waiting() {
        let mut pace = Pace::new(100);
        for _ in 0..5 {
            pace.after(Outcome::FailedFrom(0), 100);
        }
        assert_eq!(millis(pace.after(Outcome::FailedFrom(1), 100)), Some(100));
    }
}
