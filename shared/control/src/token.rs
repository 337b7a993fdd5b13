//! Who calls: API tokens, looked up by their hash.

use modbox_sandbox::UserId;

use crate::{Api, Error};

/// Why a token does not name a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    Unknown,
    Revoked,
    Expired,
}

impl Api {
    /// The user of a token, or why there is none. One consistent read.
    pub async fn authenticate(&self, token: &str) -> Result<Result<UserId, Rejection>, Error> {
        let Some(known) = self.control.table.token(token).await? else {
            return Ok(Err(Rejection::Unknown));
        };
        let now = self.control.now();
        Ok(match known {
            known if known.revoked_at.is_some() => Err(Rejection::Revoked),
            known if known.expires_at.is_some_and(|at| at <= now) => Err(Rejection::Expired),
            known => Ok(known.user),
        })
    }
}
