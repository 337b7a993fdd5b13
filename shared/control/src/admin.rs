//! Users and their API tokens: who may call. For `modbox-admin`, and for the first user of a machine.

use std::time::Duration;

use modbox_aws::table::{Issued, Token, TokenHash, User};
use modbox_sandbox::{UserId, WorkspaceId};

use crate::{API_TOKEN_PREFIX, Control, Error};

/// What an administrator does. It reaches the table and nothing else.
#[derive(Clone, Debug)]
pub struct Admin {
    control: Control,
}

/// Why an administrator's wish was not granted.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(
        "{0:?} is no name of a user: 1 to {MAX_NAME} letters, digits and . _ @ + -, the first a letter or digit"
    )]
    InvalidName(String),
    #[error("a description has 1 to {MAX_DESCRIPTION} characters, none of them a control character")]
    InvalidDescription,
    #[error("there is a user {0} already")]
    UserExists(UserId),
    #[error("there is no user {0}")]
    NoSuchUser(UserId),
    #[error("the user {0} was revoked")]
    UserRevoked(UserId),
    #[error("there is no token {0}")]
    NoSuchToken(String),
    #[error("the token is another user's")]
    TokenTaken,
    #[error("the index of tokens is not up to date yet; some of {0}'s tokens may still be valid")]
    IndexLags(UserId),
    #[error(transparent)]
    Control(#[from] Error),
}

impl From<modbox_aws::Error> for AdminError {
    fn from(error: modbox_aws::Error) -> Self {
        Self::Control(error.into())
    }
}

const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 255;

/// How often a user's tokens are looked for until all are found: some seconds in all.
const TRIES: u32 = 20;

/// A token that was made just now. Its text is nowhere else.
#[derive(Clone)]
pub struct NewToken {
    pub text: String,
    pub token: Token,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewToken").field("token", &self.token).finish_non_exhaustive()
    }
}

impl Admin {
    pub fn new(control: Control) -> Self {
        Self { control }
    }

    /// Adds a user, with a workspace of their own.
    pub async fn create_user(&self, name: &str) -> Result<User, AdminError> {
        let user = User {
            id: user_id(name)?,
            workspace: WorkspaceId::from_random(self.control.random()),
            created_at: self.control.now(),
            revoked_at: None,
            tokens: 0,
        };
        let create = || self.control.table.create_user(&user);
        if self.control.unless_in_conflict(create).await? {
            Ok(user)
        } else {
            Err(AdminError::UserExists(user.id))
        }
    }

    /// All users by name, revoked ones included.
    pub async fn list_users(&self) -> Result<Vec<User>, AdminError> {
        Ok(self.control.table.users().await?)
    }

    /// Revokes a user for good: first any further token, then each there is. The sandboxes live on.
    ///
    /// Whatever interrupts it, doing it again completes it, and once more changes nothing. Answers the tokens.
    pub async fn revoke_user(&self, name: &str) -> Result<Vec<Token>, AdminError> {
        let id = user_id(name)?;
        let now = self.control.now();
        let revoke = || self.control.table.revoke_user(&id, now);
        let user = self.control.unless_in_conflict(revoke).await?;
        let user = user.ok_or_else(|| AdminError::NoSuchUser(id.clone()))?;
        // No further token is made now. The index may not list the youngest yet, but their number is known.
        for attempt in 0..TRIES {
            let mut tokens = self.control.table.tokens(&id).await?;
            for token in tokens.iter_mut().filter(|token| token.revoked_at.is_none()) {
                *token = self.revoke(&token.hash).await?;
            }
            if tokens.len() as u64 >= user.tokens {
                return Ok(tokens);
            }
            self.control.pause(attempt).await;
        }
        Err(AdminError::IndexLags(id))
    }

    /// Makes a token of a user, valid for `lifetime`, or until it is revoked.
    pub async fn create_token(
        &self,
        user: &str,
        description: Option<String>,
        lifetime: Option<Duration>,
    ) -> Result<NewToken, AdminError> {
        if description.as_deref().is_some_and(|text| !is_description(text)) {
            return Err(AdminError::InvalidDescription);
        }
        let user = self.known_user(user_id(user)?).await?;
        let text = format!("{API_TOKEN_PREFIX}{:032x}", self.control.random());
        let now = self.control.now();
        let token = Token {
            hash: TokenHash::of(&text),
            user: user.id,
            workspace: user.workspace,
            description,
            created_at: now,
            expires_at: lifetime.map(|lifetime| now + lifetime),
            revoked_at: None,
        };
        self.issue(&token, false).await?;
        Ok(NewToken { text, token })
    }

    /// Whether a token was revoked. One that nobody knows was not.
    pub async fn is_revoked(&self, text: &str) -> Result<bool, AdminError> {
        let known = self.control.table.token(&TokenHash::of(text)).await?;
        Ok(known.is_some_and(|known| known.revoked_at.is_some()))
    }

    /// Lets a user in with a token that is given, whatever was known of it, and adds the user if there is none.
    pub async fn admit(&self, user: &str, text: &str, description: &str) -> Result<Token, AdminError> {
        match self.create_user(user).await {
            Ok(_) | Err(AdminError::UserExists(_)) => {}
            Err(error) => return Err(error),
        }
        let user = self.known_user(user_id(user)?).await?;
        let hash = TokenHash::of(text);
        let known = self.control.table.token(&hash).await?;
        let token = Token {
            hash,
            user: user.id,
            workspace: user.workspace,
            description: Some(description.to_owned()),
            created_at: known.as_ref().map_or_else(|| self.control.now(), |known| known.created_at),
            expires_at: None,
            revoked_at: None,
        };
        self.issue(&token, known.is_some()).await?;
        Ok(token)
    }

    /// The tokens of a user, oldest first, revoked and expired ones included; never their text.
    pub async fn list_tokens(&self, user: &str) -> Result<Vec<Token>, AdminError> {
        let id = user_id(user)?;
        let user = self.control.table.user(&id).await?.ok_or(AdminError::NoSuchUser(id))?;
        Ok(self.control.table.tokens(&user.id).await?)
    }

    /// Revokes the token of that id for good. Again changes nothing.
    pub async fn revoke_token(&self, id: &str) -> Result<Token, AdminError> {
        let found = self.control.table.find_token(id).await?;
        let hash = found.ok_or_else(|| AdminError::NoSuchToken(id.to_owned()))?;
        self.revoke(&hash).await
    }

    async fn revoke(&self, hash: &TokenHash) -> Result<Token, AdminError> {
        let now = self.control.now();
        let revoke = || self.control.table.revoke_token(hash, now);
        let token = self.control.unless_in_conflict(revoke).await?;
        token.ok_or_else(|| AdminError::NoSuchToken(hash.id().to_owned()))
    }

    async fn issue(&self, token: &Token, again: bool) -> Result<(), AdminError> {
        let issue = || self.control.table.issue(token, again);
        match self.control.unless_in_conflict(issue).await? {
            Issued::Done => Ok(()),
            Issued::NoUser => Err(AdminError::UserRevoked(token.user.clone())),
            Issued::Known => Err(AdminError::TokenTaken),
        }
    }

    async fn known_user(&self, id: UserId) -> Result<User, AdminError> {
        let user = self.control.table.user(&id).await?.ok_or(AdminError::NoSuchUser(id))?;
        if user.revoked_at.is_some() { Err(AdminError::UserRevoked(user.id)) } else { Ok(user) }
    }
}

/// A user's name is the id by which sandboxes know their owner. `#` separates the parts of keys, so none has it.
fn user_id(name: &str) -> Result<UserId, AdminError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts && name.len() <= MAX_NAME && name.chars().all(allowed) {
        return Ok(UserId::new(name));
    }
    Err(AdminError::InvalidName(name.to_owned()))
}

fn is_description(text: &str) -> bool {
    (1..=MAX_DESCRIPTION).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_plain() {
        for name in ["ann", "ci-7", "ann.lee+x@example.com", "7", &"x".repeat(64)] {
            assert_eq!(user_id(name).unwrap().as_str(), name);
        }
        for name in ["", "#users", "#tokens", "-x", "a b", "a#b", "ann\n", "ünal", "a/b", &"x".repeat(65)] {
            assert!(matches!(user_id(name), Err(AdminError::InvalidName(_))), "{name}");
        }
    }
}
