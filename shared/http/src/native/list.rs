//! GET /sandboxes.

use axum::{
    Json,
    extract::{Query, State},
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
    Query(query): Query<ListQuery>,
) -> Result<Json<SandboxListResponse>, ApiError> {
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
        _ => Err(ApiError::invalid(vec![Issue::new(
            &["query", "status"],
            "must be provisioning, running or destroyed",
            "enum",
        )])),
    }
}
