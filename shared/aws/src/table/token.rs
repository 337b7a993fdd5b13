//! API tokens: stored by the hash of their text, so that reading the table gives nobody a token.

use super::{
    Table,
    attributes::{Reader, Writer},
};
use crate::{Error, hash::sha256_hex};
use modbox_sandbox::{Timestamp, UserId};

/// What the table knows of an API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub user: UserId,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

fn key(token: &str) -> String {
    format!("TOKEN#{}", sha256_hex(token))
}

impl Table {
    /// The token with that text, read consistently: a revocation holds from its write on.
    pub async fn token(&self, token: &str) -> Result<Option<Token>, Error> {
        let Some(item) = self.get(&key(token)).await? else {
            return Ok(None);
        };
        let reader = Reader::new(&self.name, &item)?;
        Ok(Some(Token {
            user: UserId::new(reader.string("user")?),
            created_at: reader.time("created_at")?,
            expires_at: reader.opt_time("expires_at")?,
            revoked_at: reader.opt_time("revoked_at")?,
        }))
    }

    /// Stores a token by its hash, in place of what was known of it.
    pub async fn put_token(&self, text: &str, token: &Token) -> Result<(), Error> {
        let item = Writer::new(&key(text))
            .string("user", token.user.as_str())
            .time("created_at", token.created_at)
            .with(token.expires_at, |w, at| w.time("expires_at", at))
            .with(token.revoked_at, |w, at| w.time("revoked_at", at))
            .item();
        self.put(item).await
    }
}
