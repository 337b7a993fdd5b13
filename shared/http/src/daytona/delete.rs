//! DELETE /sandbox/{sandboxIdOrName} (seeds/001), and POST …/stop: no disk is kept here, so what is stopped is deleted.

use axum::{Json, extract::State};
use modbox_control::{Api, Ended, Identity};

use super::{
    caller::Member,
    state::{SandboxState, has_failed},
    wire::SandboxBody,
};
use crate::{error::ApiError, path::IdOrName, query::Parameters};

/// Deletes a sandbox, whatever its state. Again is a conflict while its task ends, and not found from then on.
pub(super) async fn delete(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
) -> Result<Json<SandboxBody>, ApiError> {
    let ended = api.destroy(&caller.user, &selector).await?;
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
    let ended = match force {
        Some(true) => api.kill(&caller.user, &selector).await?,
        _ => api.destroy(&caller.user, &selector).await?,
    };
    deleted(&api, &caller, &ended)
}

fn deleted(api: &Api, caller: &Identity, ended: &Ended) -> Result<Json<SandboxBody>, ApiError> {
    let sandbox = &ended.row.sandbox;
    let state = SandboxState::new(sandbox, api.now());
    // One that had failed was shown until now.
    let failed = || sandbox.end(api.now()).is_some_and(|end| has_failed(&end.reason));
    let is_deleted_by_this = ended.by_this || (ended.dismissed_by_this && failed());
    if !is_deleted_by_this {
        state.must_live()?;
    }
    Ok(Json(SandboxBody::in_state(api, caller, sandbox, state)))
}
