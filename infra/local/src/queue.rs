//! SQS as a dead-letter queue needs it, in memory and bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use md5::{Digest as _, Md5};
use modbox_sandbox::{Clock, Ids, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::aws_json::{ACCOUNT, Answer, AwsError};
use crate::cloud::Service;
use crate::event;

/// How many messages a queue keeps; the oldest give way.
const KEPT: usize = 1_000;
const MAX_QUEUES: usize = 100;
const MAX_BYTES: usize = 1024 * 1024;
const MAX_RECEIVED: usize = 10;
const VISIBILITY_SECONDS: u64 = 30;

/// A message as it was sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    pub id: String,
    pub body: String,
    /// `MessageAttributes`, as they came.
    pub attributes: Value,
    pub sent_at: Timestamp,
}

/// Every queue of the account: whichever is named exists.
#[derive(Debug)]
pub struct Queue {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    queues: Mutex<BTreeMap<String, VecDeque<Slot>>>,
}

/// A message and when it may be received again.
#[derive(Debug)]
struct Slot {
    message: Message,
    visible_at: Timestamp,
}

impl Queue {
    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { clock, ids, queues: Mutex::default() }
    }

    /// The newest thousand messages of a queue, oldest first, also those that somebody is looking at.
    pub fn messages(&self, queue_url: &str) -> Vec<Message> {
        let queues = self.queues();
        let slots = queues.get(queue_url).into_iter().flatten();
        slots.map(|slot| slot.message.clone()).collect()
    }

    fn send(&self, request: SendMessage) -> Answer {
        if !(1..=MAX_BYTES).contains(&request.message_body.len()) {
            return Err(AwsError::client("InvalidParameterValue", "a message has 1 byte to 1 MiB"));
        }
        let now = self.clock.now();
        let message = Message {
            id: event::id(self.ids.as_ref()),
            body: request.message_body,
            attributes: request.message_attributes,
            sent_at: now,
        };
        let answer = json!({"MessageId": message.id, "MD5OfMessageBody": md5_of(&message.body)});
        let mut queues = self.queues();
        if queues.len() >= MAX_QUEUES && !queues.contains_key(&request.queue_url) {
            return Err(AwsError::client("OverLimit", format!("there are {MAX_QUEUES} queues already")));
        }
        let slots = queues.entry(request.queue_url).or_default();
        if slots.len() == KEPT {
            slots.pop_front();
        }
        slots.push_back(Slot { message, visible_at: now });
        Ok(answer)
    }

    /// Answers at once: nobody waits here for a message to come.
    fn receive(&self, request: &ReceiveMessage) -> Answer {
        let now = self.clock.now();
        let seconds = request.visibility_timeout.unwrap_or(VISIBILITY_SECONDS);
        let limit = request.max_number_of_messages.unwrap_or(1).min(MAX_RECEIVED);
        let mut queues = self.queues();
        let slots = queues.get_mut(&request.queue_url).into_iter().flatten();
        let visible = slots.filter(|slot| slot.visible_at <= now).take(limit);
        let messages: Vec<Value> = visible
            .map(|slot| {
                slot.visible_at = now + Duration::from_secs(seconds);
                received(&slot.message)
            })
            .collect();
        Ok(json!({"Messages": messages}))
    }

    /// Deleting what is not there changes nothing.
    fn delete(&self, request: &DeleteMessage) -> Answer {
        if let Some(slots) = self.queues().get_mut(&request.queue_url) {
            slots.retain(|slot| slot.message.id != request.receipt_handle);
        }
        Ok(json!({}))
    }

    fn queues(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<Slot>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, operation: &str, body: Value) -> Answer {
        match operation {
            "SendMessage" => self.send(read(body)?),
            "ReceiveMessage" => self.receive(&read(body)?),
            "DeleteMessage" => self.delete(&read(body)?),
            "ListQueues" => Ok(json!({"QueueUrls": self.queues().keys().collect::<Vec<_>>()})),
            "GetQueueUrl" => Ok(json!({"QueueUrl": url(&read::<GetQueueUrl>(body)?.queue_name)})),
            _ => Err(AwsError::unknown_operation(operation)),
        }
    }
}

/// The URL under which the local cloud knows a queue.
pub fn url(name: &str) -> String {
    format!("http://localhost/{ACCOUNT}/{name}")
}

impl Service for Queue {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        std::future::ready(self.answer(operation, body)).boxed()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    message_body: String,
    #[serde(default)]
    message_attributes: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetQueueUrl {
    queue_name: String,
}

fn read<T: DeserializeOwned>(body: Value) -> Result<T, AwsError> {
    serde_json::from_value(body).map_err(|error| AwsError::client("InvalidParameterValue", error.to_string()))
}

fn received(message: &Message) -> Value {
    json!({
        "MessageId": message.id,
        "ReceiptHandle": message.id,
        "Body": message.body,
        "MD5OfBody": md5_of(&message.body),
    })
}

/// What a client compares with its own sum of what it sent.
fn md5_of(body: &str) -> String {
    let digest = Md5::digest(body.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_rfc_1321() {
        assert_eq!(md5_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
    }
}
