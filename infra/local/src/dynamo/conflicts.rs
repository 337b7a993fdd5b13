//! TransactionConflict, which the engine never gives: it runs one request after the other.
//!
//! What overlaps here is what overlaps on the way to the engine: a request's keys are registered before it waits for
//! the engine's lock and released once it is done. As in DynamoDB, a transaction excludes every other write of its
//! items, plain writes do not exclude each other, and reads are never refused.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::aws_json::AwsError;

const ONGOING: &str = "Transaction is ongoing for the item";

/// One item of one table, its key in a canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ItemKey {
    pub(super) table: String,
    pub(super) key: String,
}

#[derive(Clone, Copy, Debug, Default)]
struct Holders {
    writes: usize,
    transactions: usize,
}

type Held = HashMap<ItemKey, Holders>;

/// The items that writes in flight have registered.
#[derive(Clone, Debug, Default)]
pub(super) struct Conflicts(Arc<Mutex<Held>>);

impl Conflicts {
    /// Registers a plain write, or tells that a transaction holds one of its items.
    pub(super) fn write(&self, keys: &[ItemKey]) -> Option<HoldGuard> {
        let mut held = self.lock();
        let taken = |key| held.get(key).is_some_and(|holders: &Holders| holders.transactions > 0);
        if keys.iter().any(taken) {
            return None;
        }
        Some(self.register(&mut held, keys.iter(), Kind::Write))
    }

    /// Registers a transaction, or tells which of its items are held by anything else.
    ///
    /// An item without a readable key is the engine's to refuse, and conflicts with nothing.
    pub(super) fn transaction(&self, keys: &[Option<ItemKey>]) -> Result<HoldGuard, Vec<bool>> {
        let mut held = self.lock();
        let conflicts: Vec<bool> =
            keys.iter().map(|key| key.as_ref().is_some_and(|key| held.contains_key(key))).collect();
        if conflicts.contains(&true) {
            return Err(conflicts);
        }
        Ok(self.register(&mut held, keys.iter().flatten(), Kind::Transaction))
    }

    /// Registers a transaction over the items whatever else holds them.
    pub(super) fn hold(&self, keys: &[ItemKey]) -> HoldGuard {
        let mut held = self.lock();
        self.register(&mut held, keys.iter(), Kind::Transaction)
    }

    fn register<'a>(
        &self,
        held: &mut Held,
        keys: impl Iterator<Item = &'a ItemKey>,
        kind: Kind,
    ) -> HoldGuard {
        let keys: HashSet<ItemKey> = keys.cloned().collect();
        for key in &keys {
            *kind.count(held.entry(key.clone()).or_default()) += 1;
        }
        HoldGuard { conflicts: self.clone(), keys, kind }
    }

    fn release(&self, keys: &HashSet<ItemKey>, kind: Kind) {
        let mut held = self.lock();
        for key in keys {
            let Some(holders) = held.get_mut(key) else {
                continue;
            };
            let count = kind.count(holders);
            *count = count.saturating_sub(1);
            if holders.writes == 0 && holders.transactions == 0 {
                held.remove(key);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Write,
    Transaction,
}

impl Kind {
    fn count(self, holders: &mut Holders) -> &mut usize {
        match self {
            Self::Write => &mut holders.writes,
            Self::Transaction => &mut holders.transactions,
        }
    }
}

/// Keeps a write's items registered; they are free once it is dropped.
#[derive(Debug)]
#[must_use = "the items are free once this is dropped"]
pub struct HoldGuard {
    conflicts: Conflicts,
    keys: HashSet<ItemKey>,
    kind: Kind,
}

impl Drop for HoldGuard {
    fn drop(&mut self) {
        self.conflicts.release(&self.keys, self.kind);
    }
}

/// What a plain write is told.
pub(super) fn write_refused() -> AwsError {
    AwsError::client("TransactionConflictException", ONGOING)
}

/// What a transaction is told: one reason for each of its items, in their order.
pub(super) fn transaction_refused(conflicts: &[bool]) -> AwsError {
    let codes: Vec<&str> =
        conflicts.iter().map(|conflict| if *conflict { "TransactionConflict" } else { "None" }).collect();
    let reasons: Vec<Value> = conflicts.iter().map(|conflict| reason(*conflict)).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let mut error = AwsError::client("TransactionCanceledException", message.clone());
    error.members.insert("Message".to_owned(), json!(message));
    error.members.insert("CancellationReasons".to_owned(), json!(reasons));
    error
}

fn reason(conflict: bool) -> Value {
    if conflict {
        json!({"Code": "TransactionConflict", "Message": ONGOING})
    } else {
        json!({"Code": "None"})
    }
}
