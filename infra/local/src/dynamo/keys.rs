//! Which items a write names.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde_json::Value;

use super::conflicts::ItemKey;
use super::engine::Engine;

/// The key attributes of each table that was written to, as the engine has them.
#[derive(Debug, Default)]
pub(super) struct Schemas(RwLock<HashMap<String, Vec<String>>>);

impl Schemas {
    pub(super) fn forget(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The key of an item or of a key, without what else is in it; none where the engine will refuse it.
    pub(super) fn key(&self, engine: &Engine, table: &str, item: &Value) -> Option<ItemKey> {
        let attributes = self.of(engine, table)?;
        let values: Option<Vec<&Value>> = attributes.iter().map(|name| item.get(name)).collect();
        Some(ItemKey { table: table.to_owned(), key: serde_json::to_string(&values?).ok()? })
    }

    fn of(&self, engine: &Engine, table: &str) -> Option<Vec<String>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(table).cloned();
        known.or_else(|| self.ask(engine, table))
    }

    fn ask(&self, engine: &Engine, table: &str) -> Option<Vec<String>> {
        let (_gate, database) = engine.database();
        let metadata = database.get_table_metadata(table).ok()??;
        let schema: Vec<Value> = serde_json::from_str(&metadata.key_schema).ok()?;
        let names: Option<Vec<String>> =
            schema.iter().map(|element| element.get("AttributeName")?.as_str().map(str::to_owned)).collect();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Some(known.entry(table.to_owned()).or_insert(names?).clone())
    }

    /// The item of a PutItem, UpdateItem or DeleteItem, or of one part of a transaction.
    pub(super) fn written(&self, engine: &Engine, request: &Value) -> Option<ItemKey> {
        let table = request.get("TableName")?.as_str()?;
        let item = request.get("Key").or_else(|| request.get("Item"))?;
        self.key(engine, table, item)
    }

    /// The items of a TransactWriteItems, in its order; a ConditionCheck's item is as good as written.
    pub(super) fn of_transaction(&self, engine: &Engine, body: &Value) -> Vec<Option<ItemKey>> {
        let parts = body.get("TransactItems").and_then(Value::as_array);
        let part = |part: &Value| self.written(engine, part.as_object()?.values().next()?);
        parts.into_iter().flatten().map(part).collect()
    }

    /// The items of a BatchWriteItem.
    pub(super) fn of_batch(&self, engine: &Engine, body: &Value) -> Vec<ItemKey> {
        let tables = body.get("RequestItems").and_then(Value::as_object);
        let mut keys = Vec::new();
        for (table, requests) in tables.into_iter().flatten() {
            for request in requests.as_array().into_iter().flatten() {
                let item =
                    request.pointer("/PutRequest/Item").or_else(|| request.pointer("/DeleteRequest/Key"));
                keys.extend(item.and_then(|item| self.key(engine, table, item)));
            }
        }
        keys
    }
}
