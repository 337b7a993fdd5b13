//! API tokens: stored by the hash of their text, so that reading the table gives nobody a token.

use std::fmt;

use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use modbox_sandbox::{Timestamp, UserId, WorkspaceId};

use super::{
    Table,
    attributes::{Item, Reader, Writer, number},
    create::{cancellation_reasons, failed_condition, transaction_error},
    index::TOKENS,
    malformed,
    row::CREATED,
    text,
};
use crate::{Error, hash::sha256_hex};

const FORMAT: u32 = 2;
/// It had neither a workspace nor a place in an index, so that nobody could find it to revoke it: it opens nothing.
const FORMER_FORMAT: u32 = 1;
const PREFIX: &str = "TOKEN#";
/// As much of a hash as tells tokens apart for people.
const ID_DIGITS: usize = 16;

/// What a token is known by: its SHA-256, in hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(String);

/// What the table knows of an API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub hash: TokenHash,
    pub user: UserId,
    /// The user's own workspace, so that who calls is known by one read.
    pub workspace: WorkspaceId,
    pub description: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// The outcome of storing a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issued {
    Done,
    /// The user was revoked, or is not there any more.
    NoUser,
    /// The table knows the token differently from what was expected of it.
    Known,
}

impl TokenHash {
    pub fn of(token: &str) -> Self {
        Self(sha256_hex(token))
    }

    /// The id by which people name a token: the first digits of its hash.
    pub fn id(&self) -> &str {
        self.0.get(..ID_DIGITS).unwrap_or(&self.0)
    }

    fn key(&self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    fn of_key(key: &str) -> Option<Self> {
        key.strip_prefix(PREFIX).map(|hash| Self(hash.to_owned()))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Table {
    /// The token of that hash, read consistently: a revocation holds from its write on. One of format 1 is none.
    pub async fn token(&self, hash: &TokenHash) -> Result<Option<Token>, Error> {
        let item = self.get(&hash.key()).await?;
        let known = item.filter(|item| item.get("v") != Some(&number(FORMER_FORMAT)));
        known.map(|item| Token::read(&self.name, &item)).transpose()
    }

    /// Stores a token of a user who is there and not revoked, in one transaction with the count of the user's tokens.
    ///
    /// `again`: the token is known as one of the same user's, and takes the place of what is known of it. Otherwise it
    /// is new.
    pub async fn issue(&self, token: &Token, again: bool) -> Result<Issued, Error> {
        let put = Put::builder().table_name(&*self.name).set_item(Some(token.item()));
        let put = match again {
            true => put
                .condition_expression("#user = :user")
                .expression_attribute_names("#user", "user")
                .expression_attribute_values(":user", text(token.user.as_str())),
            false => put.condition_expression("attribute_not_exists(pk)"),
        };
        let put = put
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| malformed("TransactWriteItems", &error))?;
        let count = self.count_token(&token.user, if again { 0 } else { 1 })?;
        let answer = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().update(count).build())
            .transact_items(TransactWriteItem::builder().put(put).build())
            .send()
            .await;
        let Err(error) = answer else { return Ok(Issued::Done) };
        let reasons = cancellation_reasons(&error);
        let failed =
            |at: usize| reasons.get(at).filter(|reason| reason.code() == Some("ConditionalCheckFailed"));
        match (failed(0), failed(1)) {
            // A try whose answer was lost is answered by what it wrote.
            (_, Some(reason)) if failed_condition(reason) == Some(&token.item()) => Ok(Issued::Done),
            (Some(_), _) => Ok(Issued::NoUser),
            (None, Some(_)) => Ok(Issued::Known),
            (None, None) => Err(transaction_error(error)),
        }
    }

    /// The tokens of a user, oldest first; one that was made just now may be missing.
    pub async fn tokens(&self, user: &UserId) -> Result<Vec<Token>, Error> {
        let keys = self.listed(TOKENS, &format!("{user}#")).await?;
        let items = self.load_items(&keys).await?;
        let mut tokens: Vec<Token> =
            items.iter().map(|item| Token::read(&self.name, item)).collect::<Result<_, _>>()?;
        tokens.sort_by(|a, b| (a.created_at, &a.hash).cmp(&(b.created_at, &b.hash)));
        Ok(tokens)
    }

    /// The token of that id, whosever it is; one that was made just now may be missing.
    pub async fn find_token(&self, id: &str) -> Result<Option<TokenHash>, Error> {
        let keys = self.listed(TOKENS, "").await?;
        Ok(keys.iter().filter_map(|key| TokenHash::of_key(key)).find(|hash| hash.id() == id))
    }

    /// Revokes a token for good, and tells what it is; the first revocation's time stays. None if there is none.
    pub async fn revoke_token(&self, hash: &TokenHash, now: Timestamp) -> Result<Option<Token>, Error> {
        let item = self.revoke(&hash.key(), now).await?;
        item.map(|item| Token::read(&self.name, &item)).transpose()
    }
}

impl Token {
    fn item(&self) -> Item {
        let created = format!("{}#{:015}#{}", self.user, self.created_at.millis(), self.hash.id());
        Writer::in_format(FORMAT, &self.hash.key())
            .string("user", self.user.as_str())
            .string("workspace", self.workspace.to_string())
            .with(self.description.as_ref(), |w, text| w.string("description", text))
            .time("created_at", self.created_at)
            .with(self.expires_at, |w, at| w.time("expires_at", at))
            .with(self.revoked_at, |w, at| w.time("revoked_at", at))
            .string("owner", TOKENS)
            .string(CREATED, created)
            .item()
    }

    fn read(table: &str, item: &Item) -> Result<Self, Error> {
        let reader = Reader::in_format(FORMAT, table, item)?;
        let hash = item.get("pk").and_then(|key| AttributeValue::as_s(key).ok());
        Ok(Self {
            hash: hash
                .and_then(|key| TokenHash::of_key(key))
                .ok_or_else(|| reader.corrupt("its key is no token's"))?,
            user: UserId::new(reader.string("user")?),
            workspace: reader.parsed("workspace")?,
            description: reader.opt_string("description")?.map(ToOwned::to_owned),
            created_at: reader.time("created_at")?,
            expires_at: reader.opt_time("expires_at")?,
            revoked_at: reader.opt_time("revoked_at")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            hash: TokenHash::of("mbx_1"),
            user: UserId::new("ann"),
            workspace: WorkspaceId::from_random(7),
            description: Some("ci".to_owned()),
            created_at: Timestamp::from_millis(1_700_000_000_123),
            expires_at: Some(Timestamp::from_millis(1_800_000_000_000)),
            revoked_at: None,
        }
    }

    #[test]
    fn a_token_survives_the_table() {
        let revoked = Token { revoked_at: Some(Timestamp::from_millis(5)), ..token() };
        let bare = Token { description: None, expires_at: None, ..token() };
        for token in [token(), revoked, bare] {
            assert_eq!(Token::read("t", &token.item()).unwrap(), token);
        }
    }

    #[test]
    fn format_2_is_as_it_was_first_written() {
        let item: std::collections::BTreeMap<String, String> =
            token().item().into_iter().map(|(name, value)| (name, format!("{value:?}"))).collect();
        insta::assert_debug_snapshot!(item);
    }

    #[test]
    fn a_token_of_another_format_is_refused() {
        for format in [FORMER_FORMAT, FORMAT + 1] {
            let mut item = token().item();
            item.insert("v".to_owned(), number(format));
            assert!(matches!(Token::read("t", &item), Err(Error::UnknownFormat { .. })), "{format}");
        }
    }
}
