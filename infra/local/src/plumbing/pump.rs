//! Reads a stream once for all its mappings, and trims what every one of them is done with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Running;
use super::lane::{Lane, Waiting};
use super::mapping::Mapping;
use crate::dynamo::{StorageError, Stream};

/// How many records may have been read beyond the lowest checkpoint.
const MAX_AHEAD: usize = 10_000;
/// Read at a time: as values, records take many times the memory of their text.
const PAGE: usize = 100;
const AFTER_AN_ERROR: Duration = Duration::from_secs(1);

/// A stream that calls functions.
///
/// The stream is trimmed only behind the lowest checkpoint, so whatever was not finished when the process ended is
/// delivered again by the next one. A mapping that is stuck holds the others up once it is 10,000 records behind.
#[derive(Debug)]
pub struct Pump {
    running: Running,
    stream: Stream,
    finished: watch::Receiver<i64>,
}

impl Pump {
    /// Begins with what is left in the stream.
    pub fn start(stream: Stream, mappings: Vec<Mapping>) -> Self {
        let (finished, watched) = watch::channel(0);
        let source = Source::new(stream.clone(), mappings, finished);
        Self { running: Running::start(|stop| source.run(stop)), stream, finished: watched }
    }

    /// Waits until every record that is in the stream has been acknowledged.
    pub async fn caught_up(&self) -> Result<(), StorageError> {
        let mut finished = self.finished.clone();
        loop {
            let sequence = *finished.borrow_and_update();
            if self.stream.read_after(sequence, 1)?.is_empty() {
                return Ok(());
            }
            if finished.changed().await.is_err() {
                return Ok(());
            }
        }
    }

    /// Starts no more invocations and waits for those in flight.
    pub async fn shutdown(self) {
        self.running.shutdown().await;
    }
}

struct Source {
    stream: Stream,
    mappings: Vec<(Arc<Mapping>, Vec<Arc<Lane>>)>,
    progress: Arc<Notify>,
    /// Everything up to here was read.
    read_to: i64,
    /// What was read and is not behind the lowest checkpoint.
    ahead: VecDeque<i64>,
    /// The lowest checkpoint of all.
    finished: watch::Sender<i64>,
}

impl Source {
    fn new(stream: Stream, mappings: Vec<Mapping>, finished: watch::Sender<i64>) -> Self {
        let progress = Arc::new(Notify::new());
        let mappings = mappings.into_iter().map(|mapping| {
            let mapping = Arc::new(mapping);
            let lane = |_| Arc::new(Lane::new(Arc::clone(&mapping), Arc::clone(&progress)));
            let lanes = (0..mapping.shards.max(1)).map(lane).collect();
            (mapping, lanes)
        });
        Self { mappings: mappings.collect(), stream, progress, read_to: 0, ahead: VecDeque::new(), finished }
    }

    async fn run(mut self, stop: CancellationToken) {
        let mut written = self.stream.written();
        let mut workers = JoinSet::new();
        for lane in self.lanes() {
            workers.spawn(Arc::clone(lane).work(stop.clone()));
        }
        while !stop.is_cancelled() {
            written.mark_unchanged();
            let again = self.turn().unwrap_or_else(|error| {
                tracing::error!(error = &error as &dyn std::error::Error, "failed to read the stream");
                Again::Later
            });
            let progress = Arc::clone(&self.progress);
            tokio::select! {
                () = stop.cancelled() => {}
                _ = written.changed(), if again == Again::WhenWritten => {}
                () = progress.notified(), if again != Again::Now => {}
                () = tokio::task::yield_now(), if again == Again::Now => {}
                () = tokio::time::sleep(AFTER_AN_ERROR), if again == Again::Later => {}
            }
        }
        while workers.join_next().await.is_some() {}
        if let Err(error) = self.trim() {
            tracing::error!(error = &error as &dyn std::error::Error, "failed to trim the stream");
        }
    }

    /// Trims what is done and reads what there is room for.
    fn turn(&mut self) -> Result<Again, StorageError> {
        self.trim()?;
        let room = MAX_AHEAD.saturating_sub(self.ahead.len()).min(PAGE);
        if room == 0 {
            return Ok(Again::AfterProgress);
        }
        let records = self.stream.read_after(self.read_to, room)?;
        let read = records.len();
        for record in records {
            self.read_to = record.sequence;
            self.ahead.push_back(record.sequence);
            let wanting = self.mappings.iter().filter(|(mapping, _)| mapping.wants(&record));
            let lanes = wanting.filter_map(|(mapping, lanes)| lanes.get(mapping.shard_of(&record.key)));
            let mut text = None;
            for lane in lanes {
                let event = Arc::clone(text.get_or_insert_with(|| Arc::from(record.event.to_string())));
                lane.push(Waiting { sequence: record.sequence, event });
            }
        }
        Ok(if read == 0 { Again::WhenWritten } else { Again::Now })
    }

    fn trim(&mut self) -> Result<(), StorageError> {
        let oldest = self.lanes().filter_map(|lane| lane.oldest()).min();
        let mut done = None;
        while let Some(sequence) = self.ahead.front().copied() {
            if oldest.is_some_and(|oldest| sequence >= oldest) {
                break;
            }
            done = Some(sequence);
            self.ahead.pop_front();
        }
        if let Some(sequence) = done {
            self.stream.trim_to(sequence)?;
            self.finished.send_replace(sequence);
        }
        Ok(())
    }

    fn lanes(&self) -> impl Iterator<Item = &Arc<Lane>> {
        self.mappings.iter().flat_map(|(_, lanes)| lanes)
    }
}

/// When to look at the stream again. Progress of a shard wakes as well, so that the stream is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    Now,
    WhenWritten,
    AfterProgress,
    Later,
}
