//! GET /sandboxes.

use axum::{
    Json,
    extract::{Query, State},
};
use modbox_control::{Api, MAX_PAGE, Part};
use modbox_sandbox::Status;

use super::{
    body::Checks,
    cursor, realm,
    refusals::{BadQuery, Forbidden, Guarded},
    wire::{SandboxListItem, SandboxListResponse, SandboxStatusEnum},
};
use crate::{auth::Member, error::ApiError};

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

/// What a query string holds: names and values in its order, some perhaps twice.
type Pairs = Vec<(String, String)>;

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
    Query(pairs): Query<Pairs>,
) -> Result<Json<SandboxListResponse>, ApiError> {
    if pairs.iter().any(|(name, _)| name == "realm") {
        return Err(realm::refusal());
    }
    let mut checks = Checks::default();
    let status = status(&mut checks, &pairs);
    let part = part(&mut checks, &pairs);
    checks.done()?;
    let listing = api.list(&owner, status, part).await?;
    let now = api.now();
    let sandboxes: Vec<_> = listing.rows.iter().map(|row| SandboxListItem::new(&row.sandbox, now)).collect();
    let next_cursor = listing.next.map(cursor::write);
    Ok(Json(SandboxListResponse { total: sandboxes.len(), sandboxes, next_cursor }))
}

fn status(checks: &mut Checks, pairs: &Pairs) -> Option<Status> {
    let status = match only(checks, pairs, "status")? {
        "provisioning" => Some(Status::Provisioning),
        "running" => Some(Status::Running),
        "destroyed" => Some(Status::Destroyed),
        _ => None,
    };
    if status.is_none() {
        checks.query_fault("status", "must be one of provisioning, running and destroyed", "enum");
    }
    status
}

fn part(checks: &mut Checks, pairs: &Pairs) -> Part {
    let limit = only(checks, pairs, "limit").and_then(|text| {
        let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
        if limit.is_none() {
            checks.query_fault("limit", format!("must be from 1 to {MAX_PAGE}"), "out_of_range");
        }
        limit
    });
    let after = only(checks, pairs, "cursor").and_then(|text| {
        let after = cursor::read(text);
        if after.is_none() {
            checks.query_fault("cursor", "must be the next_cursor of an earlier answer", "value_error");
        }
        after
    });
    Part { after, limit }
}

/// The value of a parameter that may come once.
fn only<'a>(checks: &mut Checks, pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    let mut values = pairs.iter().filter(|(of, _)| of == name).map(|(_, value)| value.as_str());
    let value = values.next()?;
    if values.next().is_some() {
        checks.query_fault(name, "must not come twice", "value_error");
        return None;
    }
    Some(value)
}
