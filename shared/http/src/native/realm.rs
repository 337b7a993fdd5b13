//! GET /sandboxes/realm/{realm}, and `realm` on GET /sandboxes: for administrators of tenants, which no deployment has.

use crate::{auth::User, error::ApiError};

/// Refuses: no user of a deployment has the role that this needs.
pub(super) async fn list_realm(_: User) -> ApiError {
    refusal()
}

pub(super) fn refusal() -> ApiError {
    ApiError::forbidden("insufficient_role", "a realm is listed for the role tenant_admin alone")
}
