//! GET /sandboxes/{sandbox_id}/monitoring, and GET /sandbox/monitoring/{sandbox_id} as SDKs before 0.0.19 ask.

use std::time::Duration;

use axum::{Json, extract::State};
use modbox_control::{Api, Sight};
use modbox_sandbox::Timestamp;
use utoipa::ToSchema;

use super::{
    refusals::{BadQuery, Guarded, NotFound},
    wire::SandboxObservabilityResponse,
};
use crate::{auth::Caller, error::ApiError, moment, path::Sandbox, query::Parameters};

const LIMIT: std::ops::RangeInclusive<u16> = 1..=1000;
const DEFAULT_LIMIT: u16 = 100;
/// How far back it goes where nobody says.
const DEFAULT_SPAN: Duration = Duration::from_secs(60 * 60);

/// What is asked for, as the document shows it.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read by name, so that each fault can be told")]
pub(super) struct MonitoringQuery {
    /// From when on; an hour before `until` if absent.
    #[param(format = "date-time")]
    since: Option<String>,
    /// Until when; now if absent.
    #[param(format = "date-time")]
    until: Option<String>,
    /// The most of each kind; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u16>,
    /// Only this stream; both if absent. All output is reported as `stdout`.
    #[param(inline)]
    stream: Option<Stream>,
    /// Comma-separated `logs` and `metrics`, spaces beside them left out; both if absent.
    #[param(pattern = "^ *(logs|metrics) *(, *(logs|metrics) *)*$")]
    include: Option<String>,
}

/// Shows what a sandbox says and uses.
///
/// Of each kind the newest `limit` between `since` and `until`, oldest first.
#[utoipa::path(
    get, path = "/sandboxes/{sandbox_id}/monitoring", operation_id = "get_sandbox_monitoring", tag = "sandboxes",
    params(Sandbox, MonitoringQuery),
    responses(
        (status = 200, description = "logs and metrics", body = SandboxObservabilityResponse),
        Guarded, NotFound, BadQuery,
    ),
)]
pub(super) async fn monitoring(
    State(api): State<Api>,
    Caller(owner): Caller,
    Sandbox(selector): Sandbox,
    asked: Parameters,
) -> Result<Json<SandboxObservabilityResponse>, ApiError> {
    let sight = sight(asked, api.now())?;
    let monitored = api.monitor(&owner, &selector, &sight).await?;
    Ok(Json(SandboxObservabilityResponse::new(monitored)))
}

/// What of a task's output is reported as which stream: awslogs does not tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
enum Stream {
    Stdout,
    Stderr,
}

fn sight(mut asked: Parameters, now: Timestamp) -> Result<Sight, ApiError> {
    let moment_form = "must be an ISO 8601 date and time";
    let until = asked.one("until", moment::moment, moment_form, "value_error");
    let since = asked.one("since", moment::moment, moment_form, "value_error");
    if let (Some(since), Some(until)) = (since, until)
        && since > until
    {
        asked.fault("since", "must not be after until", "value_error");
    }
    let limit = asked.number("limit", LIMIT).unwrap_or(DEFAULT_LIMIT);
    let stream = asked.one("stream", stream, "must be stdout or stderr", "enum");
    let included =
        asked.one("include", include, "must be a comma-separated list of logs and metrics", "enum");
    let (logs, metrics) = included.unwrap_or((true, true));
    asked.done()?;
    Ok(Sight {
        since: since.unwrap_or_else(|| until.unwrap_or(now) - DEFAULT_SPAN),
        until,
        limit,
        logs: logs && stream != Some(Stream::Stderr),
        metrics,
    })
}

fn stream(text: &str) -> Option<Stream> {
    match text {
        "stdout" => Some(Stream::Stdout),
        "stderr" => Some(Stream::Stderr),
        _ => None,
    }
}

/// Whether logs and metrics are wanted.
fn include(text: &str) -> Option<(bool, bool)> {
    let words: Vec<&str> = text.split(',').map(|word| word.trim_matches(' ')).collect();
    let known = words.iter().all(|word| ["logs", "metrics"].contains(word));
    known.then(|| (words.contains(&"logs"), words.contains(&"metrics")))
}
