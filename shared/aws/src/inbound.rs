//! What wakes the functions: records of the table's stream, state changes of tasks, the schedule.

use std::collections::HashMap;

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use modbox_sandbox::SandboxId;
use serde_json::{Value, json};

use crate::{
    Error,
    table::{Item, Row, id_of, told_of},
    tasks::Observed,
};

/// One change of one item.
#[derive(Debug)]
pub struct Record {
    pub sequence_number: String,
    /// The item's key, or what can be told of it.
    pub key: String,
    /// The sandbox it is about; absent for a key of another kind.
    pub id: Option<SandboxId>,
    /// The item is new.
    pub inserted: bool,
    /// A live sandbox ended by this change, its row still there.
    pub ended: bool,
    /// A sandbox runs by this change: its new image.
    began: Option<Value>,
    /// A live row was removed: its last image.
    removed: Option<Value>,
    /// What may be told of the item as it is, or was last: see [`DeadLetter`](crate::queue::DeadLetter).
    pub item: Value,
    /// DynamoDB's TTL removed it.
    pub by_ttl: bool,
}

/// The records of a stream event, in order. One that is damaged is still there, without an id.
pub fn records(event: &Value) -> Vec<Record> {
    event.get("Records").and_then(Value::as_array).into_iter().flatten().map(record).collect()
}

/// The answer by which Lambda learns which records to deliver again.
pub fn batch_answer(failed: impl IntoIterator<Item = String>) -> Value {
    let failures: Vec<_> = failed.into_iter().map(|sequence| json!({"itemIdentifier": sequence})).collect();
    json!({"batchItemFailures": failures})
}

fn record(record: &Value) -> Record {
    let at = |path: &str| record.pointer(path);
    let text = |path: &str| at(path).and_then(Value::as_str).unwrap_or_default();
    let key = text("/dynamodb/Keys/pk/S");
    let (was_live, is_live) =
        (at("/dynamodb/OldImage/live").is_some(), at("/dynamodb/NewImage/live").is_some());
    let is_there = at("/dynamodb/NewImage").is_some();
    let began = text("/dynamodb/OldImage/state/S") == "provisioning"
        && text("/dynamodb/NewImage/state/S") == "running";
    Record {
        sequence_number: text("/dynamodb/SequenceNumber").to_owned(),
        key: key.to_owned(),
        id: id_of(key),
        inserted: text("/eventName") == "INSERT",
        ended: was_live && !is_live && is_there,
        began: began.then(|| at("/dynamodb/NewImage").cloned()).flatten(),
        removed: (was_live && !is_there).then(|| at("/dynamodb/OldImage").cloned()).flatten(),
        item: told_of(at("/dynamodb/NewImage").or_else(|| at("/dynamodb/OldImage")).unwrap_or(&Value::Null)),
        by_ttl: text("/userIdentity/principalId") == "dynamodb.amazonaws.com",
    }
}

impl Record {
    /// The row as of this record, if its sandbox runs by it.
    pub fn began_row(&self) -> Option<Result<Row, Error>> {
        self.began.as_ref().map(|image| self.row(image))
    }

    /// The live row that this record removed.
    pub fn removed_row(&self) -> Option<Result<Row, Error>> {
        self.removed.as_ref().map(|image| self.row(image))
    }

    fn row(&self, image: &Value) -> Result<Row, Error> {
        match item(image) {
            Some(item) => Row::read("stream", &item),
            None => Err(Error::Corrupt {
                table: "stream".to_owned(),
                key: self.key.clone(),
                reason: "its image is not in DynamoDB's JSON".to_owned(),
            }),
        }
    }
}

/// The task of a state-change event; nothing if the event is of another kind.
pub fn task_state_change(event: &Value) -> Option<Observed> {
    let kind = event.get("detail-type").and_then(Value::as_str)?;
    if kind != "ECS Task State Change" {
        return None;
    }
    Observed::of_event(event.get("detail")?)
}

/// Converts an image from the stream's JSON to the SDK's types.
fn item(image: &Value) -> Option<Item> {
    image.as_object()?.iter().map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let text = || value.as_str().map(ToOwned::to_owned);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "B" => AttributeValue::B(Blob::new(STANDARD.decode(value.as_str()?).ok()?)),
        "NULL" => AttributeValue::Null(true),
        "L" => AttributeValue::L(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        "M" => AttributeValue::M(
            value
                .as_object()?
                .iter()
                .map(|(name, value)| Some((name.clone(), attribute(value)?)))
                .collect::<Option<HashMap<_, _>>>()?,
        ),
        _ => return None,
    })
}
