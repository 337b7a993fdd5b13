//! The lifecycle events that users' own automation listens to.

use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use modbox_sandbox::{EndReason, Sandbox, Timestamp};
use serde_json::{Value, json};

use crate::{Connection, Error, error::classify};

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
}

impl Bus {
    pub fn new(connection: &Connection, name: impl Into<String>) -> Self {
        Self { client: connection.eventbridge(), name: name.into() }
    }

    /// Publishes one moment of a sandbox; an error means that it may not have arrived.
    pub async fn publish(&self, sandbox: &Sandbox, moment: &Moment) -> Result<(), Error> {
        let entry = PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(detail_type(moment))
            .detail(detail(sandbox, moment).to_string())
            .build();
        let answer =
            self.client.put_events().entries(entry).send().await.map_err(|e| classify("PutEvents", e))?;
        match answer.entries().iter().find_map(|entry| entry.error_code()) {
            Some(code) => Err(Error::Unavailable { operation: "PutEvents", message: code.to_owned() }),
            None => Ok(()),
        }
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
        EndReason::Expired => "expired",
        EndReason::Failed { .. } => "failed",
        EndReason::Exited { .. } => "exited",
        EndReason::Lost => "lost",
    }
}
