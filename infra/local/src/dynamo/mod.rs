//! DynamoDB: the embedded engine, and what it leaves out.

mod conflicts;
mod engine;
mod keys;
mod operations;
mod stream;

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

/// DynamoDB and DynamoDB Streams in this process.
#[derive(Debug)]
pub struct Dynamo {
    engine: Engine,
    schemas: Schemas,
    conflicts: Conflicts,
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
        let keys: Vec<_> = keys
            .iter()
            .filter_map(|key| self.schemas.key(&self.engine, table, key))
            .collect();
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

    fn transact(&self, body: Value) -> Answer {
        let keys = self.schemas.of_transaction(&self.engine, &body);
        let held = self
            .conflicts
            .transaction(&keys)
            .map_err(|conflicts| transaction_refused(&conflicts))?;
        let answer = self.run("TransactWriteItems", body);
        drop(held);
        answer
    }

    fn notify(&self) {
        self.written
            .send_modify(|writes| *writes = writes.wrapping_add(1));
    }
}

impl Service for Dynamo {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        std::future::ready(self.call(operation, body)).boxed()
    }
}
