//! POST /sandbox/{sandboxIdOrName}/autostop/{minutes}, autopause, autoarchive and autodelete.

use axum::{
    Json,
    extract::{Path, State},
};
use modbox_control::Api;

use super::{caller::Member, state::SandboxState, wire::SandboxBody};
use crate::{body::Checks, error::ApiError, path::IdOrName};

const WHY: &str = "can only be 0: this deployment runs sandboxes as Fargate tasks, which do not keep their disk, and does \
                   not watch whether they are idle; a sandbox runs until it is deleted or its ttlMinutes are over";

/// Takes 0, which is so already, and refuses anything else.
pub(super) async fn set_interval(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
    Path((_, minutes)): Path<(String, String)>,
) -> Result<Json<SandboxBody>, ApiError> {
    let mut checks = Checks::default();
    // What is no number is not 0, too.
    check(&mut checks, "interval", Some(minutes.parse().unwrap_or(-1)));
    checks.done()?;
    let row = api.get(&caller.user, &selector).await?;
    let state = SandboxState::new(&row.sandbox, api.now());
    state.must_live()?;
    Ok(Json(SandboxBody::in_state(&api, &caller, &row.sandbox, state)))
}

/// Checks an interval that may be absent.
pub(super) fn check(checks: &mut Checks, field: &str, minutes: Option<i64>) {
    if minutes.is_some_and(|minutes| minutes != 0) {
        checks.fault(field, WHY, "value_error");
    }
}
