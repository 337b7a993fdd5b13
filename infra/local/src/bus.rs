//! EventBridge's PutEvents, in memory and bounded.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use modbox_sandbox::{Clock, Ids, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::aws_json::{Answer, AwsError};
use crate::cloud::Service;
use crate::event::{self, Event};

/// How many events a bus keeps, and how many a slow subscriber may be behind.
const KEPT: usize = 1_000;
const MAX_BUSES: usize = 100;
const MAX_ENTRIES: usize = 10;
const MAX_BYTES: usize = 256 * 1024;

/// An event with the name of the bus it came by.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    pub bus: String,
    pub event: Value,
}

/// Every event bus of the account: whichever is named exists.
#[derive(Debug)]
pub struct Bus {
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// As text, which takes a fraction of the memory.
    kept: Mutex<BTreeMap<String, VecDeque<String>>>,
    subscribers: broadcast::Sender<Arc<Published>>,
}

impl Bus {
    pub fn new(clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Self {
        Self { clock, ids, kept: Mutex::default(), subscribers: broadcast::Sender::new(KEPT) }
    }

    /// The newest thousand events of a bus, oldest first.
    pub fn events(&self, bus: &str) -> Vec<Value> {
        let kept = self.kept();
        let texts = kept.get(bus).into_iter().flatten();
        // Each was written from a `Value`.
        texts.map(|text| serde_json::from_str(text).unwrap_or_default()).collect()
    }

    /// Every event from now on, of every bus. One that falls a thousand behind misses the oldest, and is told so.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Published>> {
        self.subscribers.subscribe()
    }

    fn put(&self, body: Value) -> Answer {
        let request: PutEvents = serde_json::from_value(body)
            .map_err(|error| AwsError::client("SerializationException", error.to_string()))?;
        if !(1..=MAX_ENTRIES).contains(&request.entries.len()) {
            return Err(invalid("a request has 1 to 10 entries"));
        }
        if request.entries.iter().map(Entry::bytes).sum::<usize>() > MAX_BYTES {
            return Err(invalid("Total size of the entries in the request is over the limit."));
        }
        let results: Vec<Result<String, Refused>> =
            request.entries.into_iter().map(|entry| self.publish(entry)).collect();
        let failed = results.iter().filter(|result| result.is_err()).count();
        let entries: Vec<Value> = results.into_iter().map(outcome).collect();
        Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn publish(&self, entry: Entry) -> Result<String, Refused> {
        let bus = entry.bus();
        let published = Published { event: self.event(entry)?.into_value(), bus };
        let id = published.event.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.keep(&published)?;
        // Nobody has to listen.
        let _ = self.subscribers.send(Arc::new(published));
        Ok(id)
    }

    fn event(&self, entry: Entry) -> Result<Event, Refused> {
        let required = |name: &'static str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                Refused(
                    "InvalidArgument",
                    format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
                )
            })
        };
        let detail = required("Detail", entry.detail)?;
        let detail: Value = serde_json::from_str(&detail)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Refused("MalformedDetail", "Detail is malformed.".to_owned()))?;
        Ok(Event {
            id: event::id(self.ids.as_ref()),
            source: required("Source", entry.source)?,
            detail_type: required("DetailType", entry.detail_type)?,
            at: entry.time.map_or_else(|| self.clock.now(), from_seconds),
            resources: json!(entry.resources),
            detail,
        })
    }

    fn keep(&self, published: &Published) -> Result<(), Refused> {
        let mut buses = self.kept();
        if buses.len() >= MAX_BUSES && !buses.contains_key(&published.bus) {
            return Err(Refused("LimitExceeded", format!("there are {MAX_BUSES} event buses already")));
        }
        let kept = buses.entry(published.bus.clone()).or_default();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(published.event.to_string());
        Ok(())
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, VecDeque<String>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for Bus {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        let answer = match operation {
            "PutEvents" => self.put(body),
            _ => Err(AwsError::unknown_operation(operation)),
        };
        std::future::ready(answer).boxed()
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEvents {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    time: Option<f64>,
    #[serde(default)]
    resources: Vec<String>,
}

impl Entry {
    /// What AWS counts: 14 bytes for the time, and the UTF-8 of the rest.
    fn bytes(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let texts = texts.into_iter().flatten().chain(&self.resources);
        texts.map(String::len).sum::<usize>() + if self.time.is_some() { 14 } else { 0 }
    }

    /// The name of the bus, also where its ARN is given.
    fn bus(&self) -> String {
        let name = self.event_bus_name.as_deref().unwrap_or("default");
        name.rsplit('/').next().unwrap_or(name).to_owned()
    }
}

/// Why one entry was not published: its code and message.
#[derive(Debug)]
struct Refused(&'static str, String);

fn outcome(result: Result<String, Refused>) -> Value {
    match result {
        Ok(id) => json!({"EventId": id}),
        Err(Refused(code, message)) => json!({"ErrorCode": code, "ErrorMessage": message}),
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("ValidationException", message)
}

fn from_seconds(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1000.0) as i64)
}
