//! Users, each with the workspace that was made for them.

use aws_sdk_dynamodb::{
    operation::update_item::UpdateItemError,
    types::{ReturnValue, Update},
};
use modbox_sandbox::{Timestamp, UserId, WorkspaceId};

use super::{
    Table,
    attributes::{Item, Reader, Writer, key_of, number},
    create::{cancellation_reasons, failed_condition, transaction_error},
    index::USERS,
    malformed,
    row::CREATED,
};
use crate::{Error, error::classify};

/// Somebody who may have API tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// The one that is meant where a request names none.
    pub workspace: WorkspaceId,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
    /// How many tokens were ever stored: whoever must find all of them knows by it what a lagging index hides.
    pub tokens: u64,
}

fn key(user: &UserId) -> String {
    format!("USER#{user}")
}

fn workspace_key(workspace: WorkspaceId) -> String {
    format!("WORKSPACE#{workspace}")
}

impl Table {
    /// Adds a user with the workspace; false if there is one of that name. Trying the same user again is harmless.
    pub async fn create_user(&self, user: &User) -> Result<bool, Error> {
        let absent = "attribute_not_exists(pk)";
        let answer = self
            .client
            .transact_write_items()
            .transact_items(self.transact_put(user.item(), absent)?)
            .transact_items(self.transact_put(user.workspace_item(), absent)?)
            .send()
            .await;
        let Err(error) = answer else { return Ok(true) };
        let Some(found) = cancellation_reasons(&error).first().and_then(failed_condition) else {
            return Err(transaction_error(error));
        };
        Ok(User::read(&self.name, found)?.workspace == user.workspace)
    }

    /// The user of that name, read consistently.
    pub async fn user(&self, id: &UserId) -> Result<Option<User>, Error> {
        self.get(&key(id)).await?.map(|item| User::read(&self.name, &item)).transpose()
    }

    /// Whose the workspace is, read consistently; nobody's, if there is none of that id.
    pub async fn owner_of(&self, workspace: WorkspaceId) -> Result<Option<UserId>, Error> {
        let Some(item) = self.get(&workspace_key(workspace)).await? else {
            return Ok(None);
        };
        Ok(Some(UserId::new(Reader::new(&self.name, &item)?.string("user")?)))
    }

    /// All users by name; one who was added just now may be missing.
    pub async fn users(&self) -> Result<Vec<User>, Error> {
        let items = self.load_items(&self.listed(USERS, "").await?).await?;
        let mut users: Vec<User> =
            items.iter().map(|item| User::read(&self.name, item)).collect::<Result<_, _>>()?;
        users.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(users)
    }

    /// Marks a user as revoked, who then gets no further token; the first revocation's time stays. None if there is none.
    pub async fn revoke_user(&self, id: &UserId, now: Timestamp) -> Result<Option<User>, Error> {
        let item = self.revoke(&key(id), now).await?;
        item.map(|item| User::read(&self.name, &item)).transpose()
    }

    /// Marks a user or a token as revoked, and answers the item; the first revocation's time stays. None if there is none.
    pub(super) async fn revoke(&self, key: &str, now: Timestamp) -> Result<Option<Item>, Error> {
        let answer = self
            .client
            .update_item()
            .table_name(&*self.name)
            .set_key(Some(key_of(key)))
            .condition_expression("attribute_exists(pk)")
            .update_expression("SET revoked_at = if_not_exists(revoked_at, :now)")
            .expression_attribute_values(":now", number(now.millis()))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.attributes),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(None),
                _ => Err(classify("UpdateItem", error)),
            },
        }
    }

    /// Adds to the count of the tokens of a user who is there and not revoked.
    pub(super) fn count_token(&self, user: &UserId, added: u8) -> Result<Update, Error> {
        Update::builder()
            .table_name(&*self.name)
            .set_key(Some(key_of(&key(user))))
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(revoked_at)")
            .update_expression("ADD tokens :added")
            .expression_attribute_values(":added", number(added))
            .build()
            .map_err(|error| malformed("TransactWriteItems", &error))
    }
}

impl User {
    fn item(&self) -> Item {
        Writer::new(&key(&self.id))
            .string("id", self.id.as_str())
            .string("workspace", self.workspace.to_string())
            .time("created_at", self.created_at)
            .with(self.revoked_at, |w, at| w.time("revoked_at", at))
            .number("tokens", self.tokens)
            .string("owner", USERS)
            .string(CREATED, self.id.as_str())
            .item()
    }

    /// Says whose a workspace is, so that somebody else's can be told from one that never was.
    fn workspace_item(&self) -> Item {
        Writer::new(&workspace_key(self.workspace))
            .string("id", self.workspace.to_string())
            .string("user", self.id.as_str())
            .time("created_at", self.created_at)
            .item()
    }

    fn read(table: &str, item: &Item) -> Result<Self, Error> {
        let reader = Reader::new(table, item)?;
        Ok(Self {
            id: UserId::new(reader.string("id")?),
            workspace: reader.parsed("workspace")?,
            created_at: reader.time("created_at")?,
            revoked_at: reader.opt_time("revoked_at")?,
            tokens: reader.number("tokens")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn user() -> User {
        User {
            id: UserId::new("ann"),
            workspace: WorkspaceId::from_random(7),
            created_at: Timestamp::from_millis(1_700_000_000_123),
            revoked_at: None,
            tokens: 0,
        }
    }

    #[test]
    fn a_user_survives_the_table() {
        let revoked = User { revoked_at: Some(Timestamp::from_millis(5)), tokens: 3, ..user() };
        for user in [user(), revoked] {
            assert_eq!(User::read("t", &user.item()).unwrap(), user);
        }
    }

    #[test]
    fn format_1_is_as_it_was_first_written() {
        let shown = |item: Item| -> BTreeMap<String, String> {
            item.into_iter().map(|(name, value)| (name, format!("{value:?}"))).collect()
        };
        insta::assert_debug_snapshot!([shown(user().item()), shown(user().workspace_item())]);
    }
}
