//! Load → apply → commit: the one way a row changes.

use std::{future::Future, sync::Arc, time::Duration};

use modbox_aws::table::{Committed, Row, Table};
use modbox_sandbox::{Clock, Effect, Event, Ids, Refusal, Sandbox, SandboxId, Timestamp, apply};
use tokio::time::timeout;

use crate::Error;

/// The table, the time and chance: what every function has.
#[derive(Clone, Debug)]
pub struct Control {
    pub(crate) table: Table,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

/// A row after an event.
#[derive(Debug)]
pub struct Changed {
    pub row: Row,
    /// Whether the event changed it: not so if it was true already.
    pub by_this: bool,
    /// What follows; nothing if the event was true already.
    pub effects: Vec<Effect>,
}

/// How often a row is tried again while others write it.
const TRIES: u32 = 10;
/// The longest first wait between tries; doubled with each.
const FIRST_WAIT: Duration = Duration::from_millis(10);

impl Control {
    pub fn new(table: Table, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { table, clock, ids }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn random(&self) -> u128 {
        self.ids.random()
    }

    /// Names a write, by which its retries know it.
    pub(crate) fn write_id(&self) -> String {
        format!("{:032x}", self.ids.random())
    }

    pub(crate) async fn load(&self, id: SandboxId) -> Result<Row, Error> {
        self.table.load(id).await?.ok_or(Error::NotFound)
    }

    /// The row as whoever reads it may be told of it: once its deadline has passed, with its end written.
    ///
    /// Nobody is told of an end that the table does not hold. By the clock alone, another reader with another clock could
    /// find it alive again, and so could everybody, by an extension that was decided in time and written late.
    pub(crate) async fn as_of_now(&self, row: Row) -> Result<Row, Error> {
        if row.sandbox.is_live() && row.sandbox.is_over(self.now()) {
            return Ok(self.change(row, &Event::Tick).await?.row);
        }
        Ok(row)
    }

    /// Applies the event to the row and commits; if another write came first, to what that one left.
    pub(crate) async fn change(&self, row: Row, event: &Event) -> Result<Changed, Error> {
        self.change_within(row, event, |_, _| Ok(None)).await
    }

    /// The same for an event that may be refused, or has to be written in time, as `within` says of each row that it meets.
    pub(crate) async fn change_within(
        &self,
        mut row: Row,
        event: &Event,
        within: impl Fn(&Sandbox, Timestamp) -> Result<Option<Duration>, Error>,
    ) -> Result<Changed, Error> {
        let mut write = self.write_id();
        for attempt in 0..TRIES {
            // Anew in each try: what was in time before a conflict may be late after it.
            let now = self.now();
            let within = within(&row.sandbox, now)?;
            let change = apply(&row.sandbox, event.clone(), now)?;
            if change.sandbox == row.sandbox {
                return Ok(Changed { row, by_this: false, effects: change.effects });
            }
            let commit = self.table.commit(&row, change.sandbox, &write);
            let committed = match within {
                Some(within) => timeout(within, commit).await.map_err(|_| Error::TooLate)?,
                None => commit.await,
            };
            match committed {
                Ok(Committed::Done(after)) => {
                    log(&row, &after, &change.effects);
                    return Ok(Changed { row: after, by_this: true, effects: change.effects });
                }
                Ok(Committed::Stale(Some(newer))) => (row, write) = (newer, self.write_id()),
                Ok(Committed::Stale(None)) => return Err(Error::NotFound),
                Ok(Committed::NameLost) => {
                    return Err(Error::Refused(Refusal { state: row.sandbox.state, event: event.clone() }));
                }
                // A transaction of somebody else holds an item (rule 9).
                Err(modbox_aws::Error::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.pause(attempt).await;
        }
        Err(Error::Contended)
    }

    /// Tries again while a transaction of somebody else holds an item (rule 9).
    pub(crate) async fn unless_in_conflict<T, F>(&self, mut call: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, modbox_aws::Error>>,
    {
        for attempt in 0..TRIES {
            match call().await {
                Err(modbox_aws::Error::Conflict { .. }) => self.pause(attempt).await,
                answer => return Ok(answer?),
            }
        }
        Err(Error::Contended)
    }

    /// Waits a random part of a span that doubles with each attempt.
    pub(crate) async fn pause(&self, attempt: u32) {
        let span = FIRST_WAIT * 2u32.saturating_pow(attempt.min(6));
        let millis = u64::try_from(self.random() % (span.as_millis() + 1)).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// One line per step of a life.
fn log(before: &Row, after: &Row, effects: &[Effect]) {
    let sandbox = &after.sandbox;
    for effect in effects {
        let step = match effect {
            Effect::PublishRunning => "sandbox is running",
            Effect::PublishEnded => "sandbox ended",
            Effect::Launch => "sandbox waits for its task",
            Effect::Stop(_) if before.sandbox.wants() != sandbox.wants() => {
                "sandbox waits for its task to stop"
            }
            Effect::Stop(_) => continue,
        };
        let reason = sandbox.end(sandbox.updated_at).map(|end| end.reason.to_string());
        tracing::info!(
            sandbox.id = %sandbox.id,
            sandbox.name = %sandbox.name,
            sandbox.version = sandbox.version,
            task.arn = sandbox.task().map(|task| task.arn.as_str()),
            reason,
            "{step}"
        );
    }
}
