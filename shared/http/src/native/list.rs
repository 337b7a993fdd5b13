//! GET /sandboxes.

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use modbox_control::Api;
use modbox_sandbox::Status;
use serde::Deserialize;

use super::wire::{SandboxListItem, SandboxListResponse};
use crate::{
    auth::Caller,
    error::{ApiError, Issue},
};

#[derive(Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
}

/// The caller's sandboxes, newest first.
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
