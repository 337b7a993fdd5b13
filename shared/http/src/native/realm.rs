//! GET /sandboxes/realm/{realm}, and `realm` on GET /sandboxes: for administrators of tenants, which no deployment has.

use super::refusals::{Forbidden, Guarded};
use crate::{auth::User, error::ApiError};

/// Refuses: it needs the role `tenant_admin`, which no user of a deployment has.
#[utoipa::path(
    get, path = "/sandboxes/realm/{realm}", operation_id = "list_sandboxes_by_realm", tag = "sandboxes",
    params(("realm" = String, Path, description = "The realm.")),
    responses(Guarded, Forbidden),
)]
pub(super) async fn list_realm(_: User) -> ApiError {
    refusal()
}

pub(super) fn refusal() -> ApiError {
    ApiError::forbidden("insufficient_role", "a realm is listed for the role tenant_admin alone")
}
