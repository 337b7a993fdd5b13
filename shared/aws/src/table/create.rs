//! Creating a sandbox: its row, its name and its idempotency key in one transaction.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem},
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use modbox_sandbox::{Name, Sandbox, SandboxId, Timestamp, UserId};

use super::{
    Row, Table,
    attributes::{Item, Reader, Writer, number},
    malformed,
};
use crate::{Error, error::classify};

/// How long a key answers with the sandbox that it first made.
const KEY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A longer name stands in its key by its hash: a sort key has at most 1,024 bytes, and 255 characters may have 1,020.
const MAX_NAME_BYTES: usize = 512;

/// A caller's Idempotency-Key, and the hash of the request that it came with.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    pub key: String,
    pub request_hash: String,
}

/// The outcome of a create.
#[derive(Debug)]
pub enum Created {
    Done,
    /// The key was used before, for this sandbox and a request of this hash.
    Replayed {
        id: SandboxId,
        request_hash: String,
    },
    /// A live sandbox holds the name.
    NameTaken,
}

/// The owner without `#`, so that no other owner and name make the same key.
fn escaped(owner: &UserId) -> String {
    owner.as_str().replace('%', "%25").replace('#', "%23")
}

pub(super) fn name_key(owner: &UserId, name: &Name) -> String {
    let owner = escaped(owner);
    if name.as_str().len() <= MAX_NAME_BYTES {
        return format!("NAME#{owner}#{name}");
    }
    // No name contains `/`.
    format!("NAME#{owner}#sha256/{}", crate::hash::sha256_hex(name.as_str()))
}

fn idempotency_key(owner: &UserId, key: &str) -> String {
    format!("IDEM#{}#{key}", escaped(owner))
}

/// The item that says who holds a name (rule 7).
fn name_item(sandbox: &Sandbox) -> Item {
    Writer::new(&name_key(&sandbox.owner, &sandbox.name))
        .string("id", sandbox.id.to_string())
        .flag("taken", true)
        .with(sandbox.expires_at, |w, at| w.time("live_until", at))
        .item()
}

impl Table {
    /// Takes the name and writes the row, or says who was there first. Trying the same row again is harmless.
    pub async fn create(
        &self,
        row: &Row,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Created, Error> {
        let sandbox = &row.sandbox;
        let mut items = Vec::with_capacity(3);
        if let Some(key) = key {
            items.push(self.put_key(sandbox, key, now)?);
        }
        items.push(self.put_name(sandbox, now)?);
        items.push(self.transact_put(row.item(self.retention), "attribute_not_exists(pk)")?);
        let answer = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        match answer {
            Ok(_) => Ok(Created::Done),
            Err(error) => self.explain_create(sandbox, key.is_some(), error),
        }
    }

    fn put_key(
        &self,
        sandbox: &Sandbox,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<TransactWriteItem, Error> {
        let item = Writer::new(&idempotency_key(&sandbox.owner, &key.key))
            .string("id", sandbox.id.to_string())
            .string("request_hash", &key.request_hash)
            .number("ttl", (now + KEY_LIFETIME).seconds_ceil())
            .item();
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(item))
            // TTL deletes late, so the condition looks at it too.
            .condition_expression("attribute_not_exists(pk) OR #ttl < :now")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":now", number(now.millis().div_euclid(1000)));
        transact(put)
    }

    fn put_name(&self, sandbox: &Sandbox, now: Timestamp) -> Result<TransactWriteItem, Error> {
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(name_item(sandbox)))
            .condition_expression("attribute_not_exists(pk) OR taken = :free OR live_until <= :now")
            .expression_attribute_values(":free", aws_sdk_dynamodb::types::AttributeValue::Bool(false))
            .expression_attribute_values(":now", number(now.millis()));
        transact(put)
    }

    pub(super) fn transact_put(&self, item: Item, condition: &str) -> Result<TransactWriteItem, Error> {
        transact(Put::builder().table_name(&*self.name).set_item(Some(item)).condition_expression(condition))
    }

    /// Reads the cancellation reasons, the key's first: a replay fails key and name together (rule 9).
    fn explain_create(
        &self,
        sandbox: &Sandbox,
        keyed: bool,
        error: SdkError<TransactWriteItemsError, HttpResponse>,
    ) -> Result<Created, Error> {
        let reasons = cancellation_reasons(&error).to_vec();
        let (key, name) = if keyed { (reasons.first(), reasons.get(1)) } else { (None, reasons.first()) };
        if let Some(old) = key.and_then(failed_condition) {
            let reader = Reader::new(&self.name, old)?;
            let id = reader.parsed("id")?;
            if id == sandbox.id {
                return Ok(Created::Done);
            }
            return Ok(Created::Replayed { id, request_hash: reader.string("request_hash")?.to_owned() });
        }
        if let Some(old) = name.and_then(failed_condition) {
            let by: SandboxId = Reader::new(&self.name, old)?.parsed("id")?;
            return Ok(if by == sandbox.id { Created::Done } else { Created::NameTaken });
        }
        Err(transaction_error(error))
    }
}

fn transact(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<TransactWriteItem, Error> {
    let put = put
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .map_err(|error| malformed("TransactWriteItems", &error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The reasons of a cancelled transaction in item order; none if it failed otherwise.
pub(super) fn cancellation_reasons(
    error: &SdkError<TransactWriteItemsError, HttpResponse>,
) -> &[CancellationReason] {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            cancelled.cancellation_reasons()
        }
        _ => &[],
    }
}

/// The item that failed the condition, if this reason is a failed condition on an item that exists.
pub(super) fn failed_condition(reason: &CancellationReason) -> Option<&Item> {
    (reason.code() == Some("ConditionalCheckFailed")).then(|| reason.item()).flatten()
}

pub(super) fn transaction_error(error: SdkError<TransactWriteItemsError, HttpResponse>) -> Error {
    const OPERATION: &str = "TransactWriteItems";
    let code = |code: &str| cancellation_reasons(&error).iter().any(|reason| reason.code() == Some(code));
    if code("TransactionConflict") {
        return Error::Conflict { operation: OPERATION };
    }
    if code("ThrottlingError") || code("ProvisionedThroughputExceeded") {
        return Error::Unavailable { operation: OPERATION, message: "throttled".to_owned() };
    }
    classify(OPERATION, error)
}
