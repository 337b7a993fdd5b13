//! POST /sandbox/{sandboxIdOrName}/ttl/{minutes}.

use std::time::Duration;

use axum::{
    Json,
    extract::{Path, State},
};
use modbox_control::Api;
use modbox_sandbox::Deadline;

use super::{caller::Member, state::refusal, wire::SandboxBody};
use crate::{body::Checks, error::ApiError, path::IdOrName};

/// A day at most; 0 is none.
pub(super) const TTL_MINUTES: (u32, u32) = (0, 1440);

/// Moves the deadline to so many minutes from now, later or earlier, or takes it away.
pub(super) async fn set_ttl(
    State(api): State<Api>,
    Member(caller): Member,
    IdOrName(selector): IdOrName,
    Path((_, minutes)): Path<(String, String)>,
) -> Result<Json<SandboxBody>, ApiError> {
    let mut checks = Checks::default();
    // What is no number is outside, too.
    let minutes = minutes.parse().unwrap_or(i64::MAX);
    let minutes = checks.in_range("ttlMinutes", Some(minutes), TTL_MINUTES).unwrap_or_default();
    checks.done()?;
    let to = deadline(minutes).map_or(Deadline::Never, Deadline::In);
    let row = api.extend(&caller.user, &selector, to).await.map_err(refusal)?;
    Ok(Json(SandboxBody::new(&api, &caller, &row.sandbox)))
}

pub(super) fn deadline(minutes: u32) -> Option<Duration> {
    (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60))
}
