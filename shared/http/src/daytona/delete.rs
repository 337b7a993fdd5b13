//! DELETE /sandbox/{sandboxIdOrName} (seeds/001), and POST …/stop: no disk is kept here, so what is stopped is deleted.

use axum::{Json, extract::State};
use modbox_control::{Api, Ended, Identity, Row, Selector};

use super::{caller::Member, state::SandboxState, wire::SandboxBody};
use crate::{error::ApiError, path::IdOrName, query::Parameters};

/// Deletes a sandbox, whatever its state. Again is a conflict while its task ends, and not found from then on.
pub(super) async fn delete(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<Json<SandboxBody>, ApiError> {
    let row = found(&api, &caller, &selector).await?;
    let ended = api.destroy_found(row).await?;
    deleted(&api, &caller, &ended)
}

/// Deletes a sandbox, as its `autoDeleteInterval` of 0 says; by force, if asked.
pub(super) async fn stop(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
    mut asked: Parameters,
) -> Result<Json<SandboxBody>, ApiError> {
    let force = asked.one("force", |text| text.parse().ok(), "must be true or false", "bool_parsing");
    asked.done()?;
    let row = found(&api, &caller, &selector).await?;
    let ended = match force {
        Some(true) => api.kill_found(row).await?,
        _ => api.destroy_found(row).await?,
    };
    deleted(&api, &caller, &ended)
}

/// The sandbox, if there is something to delete; one that is over stays as it is, for the doors that still show it.
async fn found(api: &Api, caller: &Identity, selector: &Selector) -> Result<Row, ApiError> {
    let row = api.get(&caller.user, selector).await?;
    SandboxState::new(&row.sandbox, api.now()).must_be_there()?;
    Ok(row)
}

fn deleted(api: &Api, caller: &Identity, ended: &Ended) -> Result<Json<SandboxBody>, ApiError> {
    let sandbox = &ended.row.sandbox;
    if !ended.by_this {
        // Somebody else was faster.
        SandboxState::new(sandbox, api.now()).must_be_there()?;
    }
    // As the page has it, also where there was no task to wait for.
    Ok(Json(SandboxBody::in_state(api, caller, sandbox, SandboxState::Destroying)))
}
