//! The dead-letter queue: items that cannot be decoded (rule 2), and lifecycle events that the bus did not take.

use aws_sdk_sqs::Client;
use serde_json::{Value, json};

use crate::{Connection, Error, error::classify, inbound::Record};

/// Handle on the dead-letter queue; cheap to clone.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    client: Client,
    url: String,
}

/// What cannot be handled, and what is needed to repair it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The function that gave it up.
    pub function: &'static str,
    /// The item's key.
    pub key: String,
    /// Where the stream told of it, if it did.
    pub sequence_number: Option<String>,
    pub reason: String,
    /// The item's attributes, but for the environment and whatever no row of ours has. The row itself may be gone, or
    /// have lost those that wake somebody ([`Table::set_aside`](crate::table::Table::set_aside)).
    pub item: Value,
}

impl DeadLetters {
    pub fn new(connection: &Connection, url: impl Into<String>) -> Self {
        Self { client: connection.sqs(), url: url.into() }
    }

    /// Decides about a record that failed: one that may succeed later is delivered again, and its sequence number
    /// answered; any other is sent here with its key and acknowledged, so that nothing waits behind it.
    pub async fn settle(
        &self,
        function: &'static str,
        record: &Record,
        retryable: bool,
        error: &(dyn std::error::Error + Send + Sync),
    ) -> Option<String> {
        let sequence = record.sequence_number.clone();
        if retryable {
            tracing::warn!(function, item.key = record.key, %error, "record is delivered again");
            return Some(sequence);
        }
        tracing::error!(function, item.key = record.key, %error, "record goes to the dead-letter queue");
        let letter = DeadLetter {
            function,
            key: record.key.clone(),
            sequence_number: Some(sequence.clone()),
            reason: error.to_string(),
            item: record.item.clone(),
        };
        match self.send(&letter).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(function, item.key = record.key, %error, "dead letter was not taken");
                Some(sequence)
            }
        }
    }

    /// Sends it; only then may its record be acknowledged.
    pub async fn send(&self, letter: &DeadLetter) -> Result<(), Error> {
        let body = json!({
            "function": letter.function,
            "key": letter.key,
            "sequence_number": letter.sequence_number,
            "reason": letter.reason,
            "item": letter.item,
        });
        self.keep(&body).await
    }

    pub(crate) async fn keep(&self, body: &Value) -> Result<(), Error> {
        let send = self.client.send_message().queue_url(&self.url).message_body(body.to_string());
        send.send().await.map(drop).map_err(|error| classify("SendMessage", error))
    }
}
