//! What the stand-ins share: an operation of an AWS JSON protocol, answered or refused.

use serde_json::{Map, Value, json};

/// The region that the local cloud says it is.
pub const REGION: &str = "us-east-1";

/// The account that the local cloud says it is.
pub const ACCOUNT: &str = "000000000000";

/// The answer to one operation.
pub type Answer = Result<Value, AwsError>;

/// An error as the AWS JSON protocols carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    pub status: u16,
    pub code: String,
    pub message: String,
    /// Members beside `__type` and `message`, such as `resourceIds` or `CancellationReasons`.
    pub members: Map<String, Value>,
}

impl AwsError {
    /// An error that is the caller's.
    pub fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.into(), message: message.into(), members: Map::new() }
    }

    /// What the local cloud cannot do.
    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::client("UnknownOperationException", format!("the local cloud has no operation {operation}"))
    }

    /// The body on the wire.
    pub fn body(&self) -> Value {
        let mut body = self.members.clone();
        body.insert("__type".to_owned(), json!(self.code));
        body.insert("message".to_owned(), json!(self.message));
        Value::Object(body)
    }
}
