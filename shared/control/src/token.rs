//! Who calls: API tokens, looked up by their hash.

use modbox_aws::table::TokenHash;
use modbox_sandbox::{UserId, WorkspaceId};

use crate::{Api, Error};

/// Every API token starts so.
pub const API_TOKEN_PREFIX: &str = "mbx_";

/// Whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user: UserId,
    /// The user's default workspace.
    pub workspace: WorkspaceId,
}

/// Why a token does not name a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    Unknown,
    Revoked,
    Expired,
}

impl Api {
    /// Whether a workspace is somebody else's, not the caller's and not one that never was. A read only where it is not
    /// the caller's own.
    pub async fn is_foreign(&self, workspace: WorkspaceId, caller: &Identity) -> Result<bool, Error> {
        if workspace == caller.workspace {
            return Ok(false);
        }
        let owner = self.control.table.owner_of(workspace).await?;
        Ok(owner.is_some_and(|owner| owner != caller.user))
    }

    /// Whom a token names, or why nobody. One consistent read; none for what cannot be an API token.
    pub async fn authenticate(&self, token: &str) -> Result<Result<Identity, Rejection>, Error> {
        if !token.starts_with(API_TOKEN_PREFIX) {
            return Ok(Err(Rejection::Unknown));
        }
        let Some(known) = self.control.table.token(&TokenHash::of(token)).await? else {
            return Ok(Err(Rejection::Unknown));
        };
        let now = self.control.now();
        Ok(match known {
            known if known.revoked_at.is_some() => Err(Rejection::Revoked),
            known if known.expires_at.is_some_and(|at| at <= now) => Err(Rejection::Expired),
            known => Ok(Identity { user: known.user, workspace: known.workspace }),
        })
    }
}
