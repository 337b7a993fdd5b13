//! GET /v1/sandboxes.

use axum::{Extension, Json, extract::State};
use modbox_control::{Among, Api, MAX_PAGE, Part};

use super::wire::{List, SandboxBody, SandboxStatus, status};
use crate::{auth::ApiKey, cursor, error::ApiError, query::Parameters, request_id::RequestId};

const DEFAULT_LIMIT: usize = 100;

/// A status that can be asked for.
#[derive(Clone, Copy)]
enum Wanted {
    Status(SandboxStatus),
    /// One that no sandbox here has.
    Never,
}

/// Lists the caller's sandboxes that live, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    ApiKey(caller): ApiKey,
    Extension(request_id): Extension<RequestId>,
    mut asked: Parameters,
) -> Result<Json<List<SandboxBody>>, ApiError> {
    let message = "must be one of running, stopped, paused and creating";
    let wanted = asked.one("status", wanted, message, "enum");
    let region = asked.one("region", |text| Some(text.to_owned()), "", "");
    let limit = asked.number("limit", 1..=MAX_PAGE).unwrap_or(DEFAULT_LIMIT);
    let after =
        asked.one("cursor", cursor::read, "must be the next_cursor of an earlier answer", "value_error");
    asked.done()?;
    let here = region.is_none_or(|region| region == api.deployment().region);
    let part = Part { after, limit: Some(limit) };
    let listing = api
        .select(&caller.user, Among::Live, part, |sandbox, now| {
            let status = status(sandbox, now);
            here && status.is_some()
                && match wanted {
                    None => true,
                    Some(Wanted::Status(wanted)) => status == Some(wanted),
                    Some(Wanted::Never) => false,
                }
        })
        .await?;
    // One may have expired since it was read.
    let data = listing.rows.iter().filter_map(|row| SandboxBody::new(&api, &row.sandbox).ok()).collect();
    Ok(Json(List {
        object: "list",
        data,
        has_more: listing.next.is_some(),
        next_cursor: listing.next.map(cursor::write),
        url: "/v1/sandboxes",
        request_id,
    }))
}

fn wanted(text: &str) -> Option<Wanted> {
    match text {
        "creating" => Some(Wanted::Status(SandboxStatus::Creating)),
        "running" => Some(Wanted::Status(SandboxStatus::Running)),
        "stopped" | "paused" => Some(Wanted::Never),
        _ => None,
    }
}
