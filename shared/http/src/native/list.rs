//! GET /sandboxes.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use modbox_control::Api;
use modbox_sandbox::Status;
use serde::Deserialize;

use super::{
    refusals::{BadQuery, Guarded},
    wire::{SandboxListItem, SandboxListResponse, SandboxStatusEnum},
};
use crate::{
    auth::Caller,
    error::{ApiError, Issue},
};

#[derive(Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
}

/// Lists the caller's sandboxes, newest first, ended ones included.
///
/// Those of `provisioning` and `running` are whole; otherwise the newest 1,000.
#[utoipa::path(
    get, path = "/sandboxes", operation_id = "list_sandboxes", tag = "sandboxes",
    params(("status" = inline(Option<SandboxStatusEnum>), Query, description = "Only those that are so.")),
    responses(
        (status = 200, description = "the sandboxes", body = SandboxListResponse),
        Guarded, BadQuery,
    ),
)]
pub(super) async fn list(
    State(api): State<Api>,
    Caller(owner): Caller,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<SandboxListResponse>, ApiError> {
    // The one parameter came twice.
    let Query(query) = query.map_err(|_| invalid())?;
    let status = query.status.as_deref().map(parse).transpose()?;
    let listing = api.list(&owner, status).await?;
    let now = api.now();
    let sandboxes: Vec<_> = listing.rows.iter().map(|row| SandboxListItem::new(&row.sandbox, now)).collect();
    Ok(Json(SandboxListResponse { total: sandboxes.len(), sandboxes }))
}

fn parse(status: &str) -> Result<Status, ApiError> {
    match status {
        "provisioning" => Ok(Status::Provisioning),
        "running" => Ok(Status::Running),
        "destroyed" => Ok(Status::Destroyed),
        _ => Err(invalid()),
    }
}

fn invalid() -> ApiError {
    let message = "must be one of provisioning, running and destroyed";
    ApiError::invalid(vec![Issue::new(&["query", "status"], message, "enum")])
}
