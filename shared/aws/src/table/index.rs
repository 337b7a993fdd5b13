//! The three sparse indexes, all KEYS_ONLY: they name sandboxes, and whoever asked reads the rows.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use modbox_sandbox::{SandboxId, Timestamp, UserId};

use super::{
    Table,
    attributes::{Item, PK, number},
    row, text,
};
use crate::{Error, error::classify};

/// Every sandbox of an owner, newest first.
pub const BY_OWNER: &str = "owner-created";
/// The live sandboxes of an owner, newest first.
pub const BY_OWNER_LIVE: &str = "live-created";
/// Whatever is not final, by when the schedule is to look at it (rule 6).
pub const ATTENTION: &str = "attention";

impl Table {
    /// The ids of an owner's sandboxes, newest first, at most `limit`.
    pub async fn owned(&self, owner: &UserId, limit: usize) -> Result<Vec<SandboxId>, Error> {
        self.newest_first(BY_OWNER, "owner", owner, limit).await
    }

    /// The ids of an owner's live sandboxes, newest first, at most `limit`.
    pub async fn owned_live(&self, owner: &UserId, limit: usize) -> Result<Vec<SandboxId>, Error> {
        self.newest_first(BY_OWNER_LIVE, "live", owner, limit).await
    }

    async fn newest_first(
        &self,
        index: &str,
        hash: &str,
        owner: &UserId,
        limit: usize,
    ) -> Result<Vec<SandboxId>, Error> {
        let query = self
            .client
            .query()
            .index_name(index)
            .key_condition_expression("#hash = :owner")
            .expression_attribute_names("#hash", hash)
            .expression_attribute_values(":owner", text(owner.as_str()))
            .scan_index_forward(false);
        self.ids(query, limit).await
    }

    /// The ids in one shard of the attention index that are to be looked at by `now`, the longest due first.
    pub async fn due(&self, shard: u32, now: Timestamp, limit: usize) -> Result<Vec<SandboxId>, Error> {
        let query = self
            .client
            .query()
            .index_name(ATTENTION)
            .key_condition_expression("attention = :shard AND look_at <= :now")
            .expression_attribute_values(":shard", text(row::attention_shard(shard)))
            .expression_attribute_values(":now", number(now.millis()));
        self.ids(query, limit).await
    }

    async fn ids(&self, query: QueryFluentBuilder, limit: usize) -> Result<Vec<SandboxId>, Error> {
        let mut ids = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = query
                .clone()
                .table_name(&*self.name)
                .limit(i32::try_from(limit - ids.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| classify("Query", error))?;
            ids.extend(page.items().iter().filter_map(id));
            from = page.last_evaluated_key;
            if from.is_none() || ids.len() >= limit {
                return Ok(ids);
            }
        }
    }
}

pub(super) fn id(item: &Item) -> Option<SandboxId> {
    row::id_of(item.get(PK).map(AttributeValue::as_s)?.ok()?)
}
