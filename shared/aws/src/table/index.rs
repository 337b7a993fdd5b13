//! The three sparse indexes, all KEYS_ONLY: they name sandboxes, and whoever asked reads the rows.

use aws_sdk_dynamodb::{operation::query::builders::QueryFluentBuilder, types::AttributeValue};
use modbox_sandbox::{SandboxId, Timestamp, UserId};

use super::{
    Table,
    attributes::{Item, PK, number},
    row::{self, CREATED},
    text,
};
use crate::{Error, error::classify};

/// Every sandbox of an owner, newest first.
pub const BY_OWNER: &str = "owner-created";
/// The live sandboxes of an owner, newest first.
pub const BY_OWNER_LIVE: &str = "live-created";
/// Whatever is not final, by when the schedule is to look at it (rule 6).
pub const ATTENTION: &str = "attention";

/// Under these owners, whose names no user can have, the owner index lists what is not a sandbox.
pub(super) const USERS: &str = "#users";
pub(super) const TOKENS: &str = "#tokens";

/// Where an entry of an owner's list stands: the list goes from the newest to the oldest, and no entry ever moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub created_at: Timestamp,
    pub id: SandboxId,
}

impl Table {
    /// An owner's sandboxes that come after that position, newest first, at most `limit`.
    pub async fn owned(
        &self,
        owner: &UserId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, Error> {
        self.newest_first((BY_OWNER, "owner"), owner, after, limit).await
    }

    /// An owner's live sandboxes that come after that position, newest first, at most `limit`.
    pub async fn owned_live(
        &self,
        owner: &UserId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, Error> {
        self.newest_first((BY_OWNER_LIVE, "live"), owner, after, limit).await
    }

    async fn newest_first(
        &self,
        (index, hash): (&str, &str),
        owner: &UserId,
        after: Option<Position>,
        limit: usize,
    ) -> Result<Vec<Position>, Error> {
        let query = self
            .client
            .query()
            .index_name(index)
            .expression_attribute_names("#hash", hash)
            .expression_attribute_values(":owner", text(owner.as_str()))
            .scan_index_forward(false);
        let query = match after {
            // A comparison, where DynamoDB's own start key would name an item: nothing need stand there any more.
            Some(after) => query
                .key_condition_expression("#hash = :owner AND created < :after")
                .expression_attribute_values(":after", text(row::created_key(after.created_at, after.id))),
            None => query.key_condition_expression("#hash = :owner"),
        };
        self.entries(query, limit, position).await
    }

    /// The keys that the owner index lists under a reserved owner and a prefix of `created`, oldest first.
    pub(super) async fn listed(&self, reserved: &str, prefix: &str) -> Result<Vec<String>, Error> {
        let query = self
            .client
            .query()
            .index_name(BY_OWNER)
            .key_condition_expression("#hash = :owner AND begins_with(created, :prefix)")
            .expression_attribute_names("#hash", "owner")
            .expression_attribute_values(":owner", text(reserved))
            .expression_attribute_values(":prefix", text(prefix));
        self.entries(query, usize::MAX, |item| item.get(PK)?.as_s().ok().cloned()).await
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
        self.entries(query, limit, id).await
    }

    async fn entries<T>(
        &self,
        query: QueryFluentBuilder,
        limit: usize,
        read: impl Fn(&Item) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut entries = Vec::new();
        let mut from: Option<Item> = None;
        loop {
            let page = query
                .clone()
                .table_name(&*self.name)
                .limit(i32::try_from(limit - entries.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(from)
                .send()
                .await
                .map_err(|error| classify("Query", error))?;
            entries.extend(page.items().iter().filter_map(&read));
            from = page.last_evaluated_key;
            if from.is_none() || entries.len() >= limit {
                return Ok(entries);
            }
        }
    }
}

pub(super) fn id(item: &Item) -> Option<SandboxId> {
    row::id_of(item.get(PK).map(AttributeValue::as_s)?.ok()?)
}

fn position(item: &Item) -> Option<Position> {
    let created = item.get(CREATED).map(AttributeValue::as_s)?.ok()?;
    let (millis, _) = created.split_once('#')?;
    Some(Position { created_at: Timestamp::from_millis(millis.parse().ok()?), id: id(item)? })
}
