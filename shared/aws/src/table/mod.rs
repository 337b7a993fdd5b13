//! The table: every item of Modbox, and the conditional writes that keep it true.
//!
//! Gets are consistent. Writes are conditional on the version that was read; a write whose answer was lost is
//! recognised by its `write` attribute when it is tried again.

mod attributes;
mod commit;
mod create;
mod index;
mod remains;
mod row;
mod task_definition;
mod token;
mod user;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, KeysAndAttributes},
};
use modbox_sandbox::{Name, SandboxId, UserId};
use serde_json::Value;

pub use attributes::Item;
use attributes::{Reader, key_of};
pub use commit::Committed;
pub use create::{Created, IdempotencyKey};
pub use index::{ATTENTION, BY_OWNER, BY_OWNER_LIVE, Position};
pub(crate) use remains::of_image as told_of;
pub(crate) use row::id_of;
pub use row::{ATTENTION_SHARDS, Row};
pub use token::{Issued, Token, TokenHash};
pub use user::User;

use crate::{Connection, Error, error::classify};

/// Handle on the table; cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    client: Client,
    name: Arc<str>,
    retention: Duration,
}

/// What a read of many sandboxes found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// In the order asked for; one that is gone is left out.
    pub rows: Vec<Row>,
    /// Items that cannot be read; they keep nobody from the others.
    pub damaged: Vec<Damaged>,
}

/// An item that cannot be read.
#[derive(Debug)]
pub struct Damaged {
    pub id: SandboxId,
    /// What is wrong with it.
    pub error: Error,
    /// What of it may be told, as DynamoDB's JSON.
    pub item: Value,
}

/// BatchGetItem takes no more keys than this.
const BATCH: usize = 100;

impl Table {
    /// `retention` is how long an ended sandbox is kept as history.
    pub fn new(connection: &Connection, name: &str, retention: Duration) -> Self {
        Self { client: connection.dynamodb(), name: name.into(), retention }
    }

    /// Opens the connection, so that the first request does not pay for it. Its answer does not matter.
    pub async fn warm(&self) {
        drop(self.get("WARM#").await);
    }

    /// The sandbox of that id, read consistently.
    pub async fn load(&self, id: SandboxId) -> Result<Option<Row>, Error> {
        self.get(&row::key(id)).await?.map(|item| Row::read(&self.name, &item)).transpose()
    }

    /// The sandboxes of those ids, read consistently; an id may come more than once.
    pub async fn load_many(&self, ids: &[SandboxId]) -> Result<Loaded, Error> {
        let mut items = HashMap::with_capacity(ids.len());
        // DynamoDB refuses a batch that names a key twice.
        let mut asked = HashSet::with_capacity(ids.len());
        let ids: Vec<SandboxId> = ids.iter().copied().filter(|id| asked.insert(*id)).collect();
        for item in self.load_items(&ids.iter().map(|id| row::key(*id)).collect::<Vec<_>>()).await? {
            items.extend(index::id(&item).map(|id| (id, item)));
        }
        let mut loaded = Loaded::default();
        for id in ids {
            match items.remove(&id).map(|item| (Row::read(&self.name, &item), item)) {
                Some((Ok(row), _)) => loaded.rows.push(row),
                Some((Err(error), item)) => {
                    loaded.damaged.push(Damaged { id, error, item: remains::of_item(&item) });
                }
                None => {}
            }
        }
        Ok(loaded)
    }

    /// Takes an item that cannot be read out of what wakes anybody: the attention index, and the stream's filters.
    pub async fn set_aside(&self, id: SandboxId) -> Result<(), Error> {
        self.client
            .update_item()
            .table_name(&*self.name)
            .set_key(Some(key_of(&row::key(id))))
            .condition_expression("attribute_exists(pk)")
            .update_expression("REMOVE attention, wants")
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("UpdateItem", error))
    }

    /// The items of those keys, read consistently, in any order. No key may come twice.
    async fn load_items(&self, keys: &[String]) -> Result<Vec<Item>, Error> {
        let mut items = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(BATCH) {
            items.extend(self.load_batch(chunk).await?);
        }
        Ok(items)
    }

    async fn load_batch(&self, keys: &[String]) -> Result<Vec<Item>, Error> {
        let mut items = Vec::with_capacity(keys.len());
        let mut keys: Vec<Item> = keys.iter().map(|key| key_of(key)).collect();
        while !keys.is_empty() {
            let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let answer = self
                .client
                .batch_get_item()
                .request_items(&*self.name, wanted.map_err(|error| malformed("BatchGetItem", &error))?)
                .send()
                .await
                .map_err(|error| classify("BatchGetItem", error))?;
            let found = answer.responses().and_then(|tables| tables.get(&*self.name));
            items.extend(found.into_iter().flatten().cloned());
            let rest = answer.unprocessed_keys().and_then(|tables| tables.get(&*self.name));
            keys = rest.map(|rest| rest.keys().to_vec()).unwrap_or_default();
        }
        Ok(items)
    }

    /// The newest sandbox of that owner and name, whether it lives or not.
    pub async fn find(&self, owner: &UserId, name: &Name) -> Result<Option<SandboxId>, Error> {
        let Some(item) = self.get(&create::name_key(owner, name)).await? else {
            return Ok(None);
        };
        Reader::new(&self.name, &item)?.parsed("id").map(Some)
    }

    async fn get(&self, key: &str) -> Result<Option<Item>, Error> {
        let answer = self
            .client
            .get_item()
            .table_name(&*self.name)
            .set_key(Some(key_of(key)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| classify("GetItem", error))?;
        Ok(answer.item)
    }

    async fn put(&self, item: Item) -> Result<(), Error> {
        let put = self.client.put_item().table_name(&*self.name).set_item(Some(item));
        put.send().await.map(drop).map_err(|error| classify("PutItem", error))
    }
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// The SDK's builders refuse a request that lacks a member; ours never do.
fn malformed(operation: &'static str, error: &dyn std::error::Error) -> Error {
    Error::Refused { operation, code: "MalformedRequest".to_owned(), message: error.to_string() }
}
