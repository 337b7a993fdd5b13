//! DynamoDB: the embedded engine, and what it leaves out.

mod conflicts;
mod engine;
mod keys;
mod operations;
mod stream;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use modbox_sandbox::Clock;
use serde_json::{Value, json};
use tokio::sync::watch;

pub use conflicts::HoldGuard;
pub use engine::StorageError;
pub use stream::{Stream, StreamRecord};

use crate::aws_json::Answer;
use crate::cloud::Service;
use conflicts::{Conflicts, transaction_refused, write_refused};
use engine::Engine;
use keys::Schemas;
use tokens::Tokens;

/// DynamoDB and DynamoDB Streams in this process.
#[derive(Debug)]
pub struct Dynamo {
    engine: Engine,
    schemas: Schemas,
    conflicts: Conflicts,
    tokens: Tokens,
    written: watch::Sender<u64>,
}

impl Dynamo {
    /// Opens or creates the database in a file. No other process may have it open.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        Engine::open(path).map(Self::over)
    }

    /// A database that is gone with this value.
    pub fn in_memory() -> Result<Self, StorageError> {
        Engine::in_memory().map(Self::over)
    }

    /// A database that is gone with this value and takes the time of its TTL and its streams from `clock`.
    ///
    /// Its streams are never trimmed, so it is for runs of some thousand writes.
    pub fn in_memory_with_clock(clock: Arc<dyn Clock>) -> Result<Self, StorageError> {
        Engine::with_clock(clock).map(Self::over)
    }

    fn over(engine: Engine) -> Self {
        Self {
            engine,
            schemas: Schemas::default(),
            conflicts: Conflicts::default(),
            tokens: Tokens::default(),
            written: watch::Sender::new(0),
        }
    }

    /// Performs one operation of DynamoDB or DynamoDB Streams, given its body on the wire.
    ///
    /// It runs on the caller's thread, which it holds for about a millisecond: then a run on one thread is
    /// deterministic.
    pub fn call(&self, operation: &str, body: Value) -> Answer {
        let answer = match operation {
            "PutItem" | "UpdateItem" | "DeleteItem" => self.write(operation, body),
            "BatchWriteItem" => self.batch(body),
            "TransactWriteItems" => self.transact(body),
            _ => self.run(operation, body),
        };
        if operations::redefines(operation) {
            self.schemas.forget();
        }
        if operations::writes(operation) && answer.is_ok() {
            self.notify();
        }
        answer
    }

    /// Removes the items whose TTL has passed, and tells how many. DynamoDB does this by itself, in its own time.
    ///
    /// It reads whole tables, and other requests may wait for it: once a minute, off the async threads, is enough.
    pub fn sweep_ttl(&self) -> Result<usize, StorageError> {
        let (gate, database) = self.engine.database();
        let removed = database.sweep_ttl()?;
        drop(gate);
        if removed > 0 {
            self.notify();
        }
        Ok(removed)
    }

    /// Holds items as a transaction in flight does, until the guard is dropped. `keys` are DynamoDB keys.
    pub fn hold(&self, table: &str, keys: &[Value]) -> HoldGuard {
        let keys: Vec<_> = keys.iter().filter_map(|key| self.schemas.key(&self.engine, table, key)).collect();
        self.conflicts.hold(&keys)
    }

    fn run(&self, operation: &str, body: Value) -> Answer {
        let (_gate, database) = self.engine.database();
        operations::run(database, operation, body)
    }

    fn write(&self, operation: &str, body: Value) -> Answer {
        let key = self.schemas.written(&self.engine, &body);
        let held = self.conflicts.write(key.as_slice()).ok_or_else(write_refused)?;
        let answer = self.run(operation, body);
        drop(held);
        answer
    }

    /// A batch has no error for a conflict: what was not done is handed back for another try.
    fn batch(&self, body: Value) -> Answer {
        let keys = self.schemas.of_batch(&self.engine, &body);
        let Some(held) = self.conflicts.write(&keys) else {
            return Ok(json!({"UnprocessedItems": body.get("RequestItems")}));
        };
        let answer = self.run("BatchWriteItem", body);
        drop(held);
        answer
    }

    fn transact(&self, mut body: Value) -> Answer {
        match Tokens::take(&mut body) {
            Some(token) => self.tokens.once(&token, body, |body| self.transact_now(body)),
            None => self.transact_now(body),
        }
    }

    fn transact_now(&self, body: Value) -> Answer {
        let keys = self.schemas.of_transaction(&self.engine, &body);
        let held = self.conflicts.transaction(&keys).map_err(|conflicts| transaction_refused(&conflicts))?;
        let answer = self.run("TransactWriteItems", body);
        drop(held);
        answer
    }

    fn notify(&self) {
        self.written.send_modify(|writes| *writes = writes.wrapping_add(1));
    }
}

impl Service for Dynamo {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        std::future::ready(self.call(operation, body)).boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    fn put(key: &str) -> Value {
        json!({"TableName": "modbox", "Item": {"pk": {"S": key}}})
    }

    fn transaction(keys: &[&str]) -> Value {
        let items: Vec<Value> = keys.iter().map(|key| json!({"Put": put(key)})).collect();
        json!({"TransactItems": items})
    }

    /// A table whose key is known, so that a refusal needs no engine.
    fn table() -> Arc<Dynamo> {
        let dynamo = Arc::new(Dynamo::in_memory().unwrap());
        let table = json!({
            "TableName": "modbox", "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        });
        dynamo.call("CreateTable", table).unwrap();
        dynamo.call("PutItem", put("first")).unwrap();
        dynamo
    }

    /// Sends a request to an engine that is busy, and tells what another one gets while it waits there.
    fn meanwhile(one: (&'static str, Value), other: (&str, Value)) -> (Answer, Answer) {
        let dynamo = table();
        let busy = dynamo.engine.beside();
        let in_flight = Arc::clone(&dynamo);
        let one = thread::spawn(move || in_flight.call(one.0, one.1));
        let deadline = Instant::now() + Duration::from_secs(10);
        while dynamo.conflicts.is_empty() {
            assert!(Instant::now() < deadline, "the request registers its items before it waits");
            thread::yield_now();
        }
        let other = dynamo.call(other.0, other.1);
        drop(busy);
        (one.join().unwrap(), other)
    }

    #[test]
    fn a_write_that_overlaps_a_transaction_is_refused() {
        let transaction = ("TransactWriteItems", transaction(&["a", "b"]));
        let (one, other) = meanwhile(transaction, ("PutItem", put("b")));
        assert!(one.is_ok());
        assert_eq!(other.unwrap_err().code, "TransactionConflictException");
    }

    #[test]
    fn a_transaction_that_overlaps_a_write_is_refused() {
        let (one, other) = meanwhile(("PutItem", put("b")), ("TransactWriteItems", transaction(&["a", "b"])));
        assert!(one.is_ok());
        let other = other.unwrap_err();
        assert_eq!(other.code, "TransactionCanceledException");
        let reasons = json!([
            {"Code": "None"},
            {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
        ]);
        assert_eq!(other.members["CancellationReasons"], reasons);
    }

    #[test]
    fn nothing_is_held_once_requests_are_over() {
        let dynamo = table();
        dynamo.call("TransactWriteItems", transaction(&["a", "b"])).unwrap();
        dynamo.call("TransactWriteItems", transaction(&["a", "a"])).unwrap_err();
        dynamo.call("PutItem", put("a")).unwrap();
        assert!(dynamo.conflicts.is_empty());
    }

    #[test]
    fn plain_writes_of_one_item_do_not_conflict() {
        let dynamo = table();
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let dynamo = Arc::clone(&dynamo);
                thread::spawn(move || (0..50).all(|_| dynamo.call("PutItem", put("a")).is_ok()))
            })
            .collect();
        assert!(writers.into_iter().all(|writer| writer.join().unwrap()));
    }
}
