//! Timeouts, in milliseconds, and POST /v2/sandboxes/sessions/{session_id}/extend-timeout.

use std::{ops::RangeInclusive, time::Duration};

use axum::{Json, extract::State};
use modbox_control::Api;
use modbox_sandbox::Deadline;
use serde::{Deserialize, Serialize};

use super::{
    error::{timeout_invalid, unchanged},
    member::Member,
    wire::Session,
};
use crate::{
    body::{Body, integer},
    error::ApiError,
    path::ById,
};

/// What a sandbox has for which none was given, as the vendor documents it.
pub(super) const DEFAULT: Duration = Duration::from_secs(5 * 60);

const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long a sandbox may live.
const LIFE: RangeInclusive<i64> = 1000..=DAY;
/// By how much it may be made to live longer at once.
const MORE: RangeInclusive<i64> = 1..=DAY;

#[derive(Deserialize)]
pub(super) struct ExtendRequest {
    #[serde(default, deserialize_with = "integer")]
    duration: Option<i64>,
}

#[derive(Serialize)]
pub(super) struct Extended {
    session: Session,
}

/// Moves the deadline so much further away.
pub(super) async fn extend(
    State(api): State<Api>,
    Member(caller): Member,
    ById(selector): ById,
    Body(request): Body<ExtendRequest>,
) -> Result<Json<Extended>, ApiError> {
    let duration = millis("duration", request.duration, &MORE)?;
    let duration = duration.ok_or_else(|| timeout_invalid("duration: is required"))?;
    let moved = api.extend(&caller.user, &selector, Deadline::Later(duration)).await;
    let sandbox = moved.map_err(unchanged)?.sandbox;
    Ok(Json(Extended { session: Session::new(&api, &sandbox) }))
}

pub(super) fn life(timeout: Option<i64>) -> Result<Option<Duration>, ApiError> {
    millis("timeout", timeout, &LIFE)
}

fn millis(
    field: &str,
    value: Option<i64>,
    range: &RangeInclusive<i64>,
) -> Result<Option<Duration>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    let inside = u64::try_from(value).ok().filter(|_| range.contains(&value));
    let millis = inside.ok_or_else(|| {
        timeout_invalid(format!("{field}: must be from {} to {} ms", range.start(), range.end()))
    })?;
    Ok(Some(Duration::from_millis(millis)))
}
