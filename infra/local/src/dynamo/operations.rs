//! DynamoDB's operations by name, each given to the engine's method of that name.

use dynoxide::{Database, DynoxideError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::aws_json::{Answer, AwsError};

macro_rules! operations {
    ($($operation:literal => $method:ident,)*) => {
        /// Runs one operation of DynamoDB or DynamoDB Streams.
        pub(super) fn run(database: &Database, operation: &str, body: Value) -> Answer {
            match operation {
                $($operation => answer(body, |request| database.$method(request)),)*
                _ => Err(AwsError::unknown_operation(operation)),
            }
        }
    };
}

operations! {
    "GetItem" => get_item,
    "PutItem" => put_item,
    "UpdateItem" => update_item,
    "DeleteItem" => delete_item,
    "Query" => query,
    "Scan" => scan,
    "BatchGetItem" => batch_get_item,
    "BatchWriteItem" => batch_write_item,
    "TransactGetItems" => transact_get_items,
    "TransactWriteItems" => transact_write_items,
    "CreateTable" => create_table,
    "DescribeTable" => describe_table,
    "UpdateTable" => update_table,
    "DeleteTable" => delete_table,
    "ListTables" => list_tables,
    "UpdateTimeToLive" => update_time_to_live,
    "DescribeTimeToLive" => describe_time_to_live,
    "TagResource" => tag_resource,
    "UntagResource" => untag_resource,
    "ListTagsOfResource" => list_tags_of_resource,
    "ListStreams" => list_streams,
    "DescribeStream" => describe_stream,
    "GetShardIterator" => get_shard_iterator,
    "GetRecords" => get_records,
}

/// Whether the operation can change an item, and so put a record on a stream.
pub(super) fn writes(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems")
}

/// Whether the operation can change which attributes are a table's key.
pub(super) fn redefines(operation: &str) -> bool {
    matches!(operation, "CreateTable" | "DeleteTable")
}

fn answer<Q, A>(body: Value, run: impl FnOnce(Q) -> dynoxide::Result<A>) -> Answer
where
    Q: DeserializeOwned,
    A: Serialize,
{
    let request = serde_json::from_value(body).map_err(|error| unreadable(&error))?;
    let answer = run(request).map_err(|error| refused(&error))?;
    serde_json::to_value(answer).map_err(|_| internal("the answer could not be written"))
}

/// The engine marks in the text which of two errors an unreadable request is.
fn unreadable(error: &serde_json::Error) -> AwsError {
    let text = error.to_string();
    let marked = ["VALIDATION_REQUEST:", "VALIDATION_AS_READ:", "VALIDATION:"];
    if let Some(message) = marked.iter().find_map(|mark| text.strip_prefix(mark)) {
        return AwsError::client("ValidationException", message);
    }
    let absent = ["missing field", "unknown variant", "invalid type: null", "Supplied AttributeValue"];
    if absent.iter().any(|words| text.contains(words)) {
        return AwsError::client("ValidationException", text);
    }
    let marked = ["SERIALIZATION_AS_READ:", "SERIALIZATION:"];
    let message = marked.iter().find_map(|mark| text.strip_prefix(mark));
    AwsError::client("SerializationException", message.unwrap_or(&text))
}

pub(super) fn refused(error: &DynoxideError) -> AwsError {
    let body: Result<Map<String, Value>, _> = serde_json::from_str(&error.to_json());
    let Ok(mut members) = body else {
        return internal("the engine's error could not be read");
    };
    let kind = members.remove("__type");
    let code = kind.as_ref().and_then(Value::as_str).and_then(|code| code.rsplit('#').next());
    members.remove("message");
    AwsError {
        status: error.status_code(),
        code: code.unwrap_or("InternalServerError").to_owned(),
        message: error.to_string(),
        members,
    }
}

pub(super) fn internal(message: &str) -> AwsError {
    AwsError { status: 500, ..AwsError::client("InternalServerError", message) }
}
