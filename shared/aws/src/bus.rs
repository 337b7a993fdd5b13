//! The lifecycle events that users' own automation listens to.

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use modbox_sandbox::{EndReason, Sandbox, Timestamp};
use serde_json::{Value, json};

use crate::{Connection, Error, error::classify, queue::DeadLetters};

/// The `source` of every event of ours.
pub const SOURCE: &str = "modbox";

/// The three moments of a life. Each is published at least once; `id` and `version` tell duplicates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    Accepted,
    Running,
    Ended { reason: EndReason, at: Timestamp },
}

/// Handle on the event bus; cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    client: Client,
    name: String,
    /// Where events go that the bus does not take.
    dead_letters: DeadLetters,
}

/// Entry errors of PutEvents that pass (API reference, PutEventsResultEntry).
const PASSING: [&str; 3] = ["ThrottlingException", "InternalFailure", "InternalException"];

impl Bus {
    pub fn new(connection: &Connection, name: impl Into<String>, dead_letters: DeadLetters) -> Self {
        Self { client: connection.eventbridge(), name: name.into(), dead_letters }
    }

    async fn put(&self, sandbox: &Sandbox, moment: &Moment) -> Result<(), Error> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type(moment))
            .detail(detail(sandbox, moment).to_string())
            .build();
        let answer =
            self.client.put_events().entries(entry).send().await.map_err(|e| classify("PutEvents", e))?;
        let refused = answer.entries().iter().find_map(|entry| entry.error_code().map(|code| (code, entry)));
        let Some((code, entry)) = refused else { return Ok(()) };
        let message = entry.error_message().unwrap_or_default().to_owned();
        if PASSING.contains(&code) {
            return Err(Error::Unavailable { operation: "PutEvents", message: format!("{code}: {message}") });
        }
        Err(Error::Refused { operation: "PutEvents", code: code.to_owned(), message })
    }

    /// Publishes one moment of a sandbox, or keeps it with the dead letters for whoever mends the bus: a stream's records
    /// wait for nothing but AWS's answer to what must be started or stopped. An error means that neither took it.
    pub async fn publish(&self, sandbox: &Sandbox, moment: &Moment) -> Result<(), Error> {
        let Err(error) = self.put(sandbox, moment).await else { return Ok(()) };
        tracing::error!(sandbox.id = %sandbox.id, %error, "a lifecycle event is kept with the dead letters");
        let event = json!({
            "event_bus": self.name,
            "source": SOURCE,
            "detail-type": detail_type(moment),
            "detail": detail(sandbox, moment),
            "reason": error.to_string(),
        });
        self.dead_letters.keep(&event).await
    }
}

fn detail_type(moment: &Moment) -> &'static str {
    match moment {
        Moment::Accepted => "Sandbox Accepted",
        Moment::Running => "Sandbox Running",
        Moment::Ended { .. } => "Sandbox Ended",
    }
}

/// Never any environment, token or URL with one: a bus has many readers.
fn detail(sandbox: &Sandbox, moment: &Moment) -> Value {
    let (version, reason, at) = match moment {
        Moment::Accepted => (1, None, None),
        Moment::Running => (2, None, None),
        Moment::Ended { reason, at } => (3, Some(reason_word(reason)), Some(at.millis())),
    };
    json!({
        "id": sandbox.id.to_string(),
        "incarnation": sandbox.incarnation,
        "version": version,
        "name": sandbox.name.as_str(),
        "owner": sandbox.owner.as_str(),
        "image": sandbox.spec.image,
        "created_at_ms": sandbox.created_at.millis(),
        "expires_at_ms": sandbox.expires_at.map(Timestamp::millis),
        "ended_at_ms": at,
        "reason": reason,
    })
}

fn reason_word(reason: &EndReason) -> &'static str {
    match reason {
        EndReason::Requested => "requested",
        EndReason::Killed => "killed",
        EndReason::Stopped => "stopped",
        EndReason::Expired => "expired",
        EndReason::Failed { .. } => "failed",
        EndReason::Exited { .. } => "exited",
        EndReason::Lost => "lost",
    }
}
