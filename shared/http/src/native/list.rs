//! GET /sandboxes.

use axum::{Json, extract::State};
use modbox_control::{Api, MAX_PAGE, Part};
use modbox_sandbox::Status;

use super::{
    realm,
    refusals::{BadQuery, Forbidden, Guarded},
    wire::{SandboxListItem, SandboxListResponse, SandboxStatusEnum},
};
use crate::{auth::Member, cursor, error::ApiError, query::Parameters};

/// What is asked for, as the document shows it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by name, so that each fault can be told")]
pub(super) struct ListQuery {
    /// Only those that are so.
    #[param(inline)]
    status: Option<SandboxStatusEnum>,
    /// The most that this answer holds.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next_cursor` of an earlier answer: goes on from there.
    cursor: Option<String>,
    /// Refused: a realm is listed for the role `tenant_admin` alone.
    realm: Option<String>,
}

/// Lists the caller's sandboxes, newest first, ended ones included.
///
/// Without `limit` and `cursor` those of `provisioning` and `running` are whole; any other answer ends after 1,000.
#[utoipa::path(
    get, path = "/sandboxes", operation_id = "list_sandboxes", tag = "sandboxes",
    params(ListQuery),
    responses(
        (status = 200, description = "the sandboxes", body = SandboxListResponse),
        Guarded, Forbidden, BadQuery,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Member(owner): Member,
    mut asked: Parameters,
) -> Result<Json<SandboxListResponse>, ApiError> {
    if asked.has("realm") {
        return Err(realm::refusal());
    }
    let status = asked.one("status", status, "must be one of provisioning, running and destroyed", "enum");
    let limit = asked.number("limit", 1..=MAX_PAGE);
    let cursor = "must be the next_cursor of an earlier answer";
    let after = asked.one("cursor", cursor::read, cursor, "value_error");
    asked.done()?;
    let listing = api.list(&owner, status, Part { after, limit }).await?;
    let now = api.now();
    let sandboxes: Vec<_> = listing.rows.iter().map(|row| SandboxListItem::new(&row.sandbox, now)).collect();
    let next_cursor = listing.next.map(cursor::write);
    Ok(Json(SandboxListResponse { total: sandboxes.len(), sandboxes, next_cursor }))
}

fn status(text: &str) -> Option<Status> {
    match text {
        "provisioning" => Some(Status::Provisioning),
        "running" => Some(Status::Running),
        "destroyed" => Some(Status::Destroyed),
        _ => None,
    }
}
