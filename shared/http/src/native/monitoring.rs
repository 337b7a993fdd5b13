//! GET /sandboxes/{sandbox_id}/monitoring, and GET /sandbox/monitoring/{sandbox_id} as SDKs before 0.0.19 ask.

use std::time::Duration;

use axum::{
    Json,
    extract::{Query, State},
};
use modbox_control::{Api, Sight};
use modbox_sandbox::Timestamp;
use utoipa::ToSchema;

use super::{
    refusals::{BadQuery, Guarded, NotFound},
    wire::{self, SandboxObservabilityResponse},
};
use crate::{
    auth::Caller,
    error::{ApiError, Issue},
    path::Sandbox,
};

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
    /// `logs`, `metrics`, or both with a comma between; both if absent.
    #[param(pattern = "^(logs|metrics)(,(logs|metrics))*$")]
    include: Option<String>,
}

/// The parameters as they came, each as often as it came.
type Parameters = Vec<(String, String)>;

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
    Query(parameters): Query<Parameters>,
) -> Result<Json<SandboxObservabilityResponse>, ApiError> {
    let sight = Checks { parameters, issues: Vec::new() }.sight(api.now())?;
    let monitored = api.monitor(&owner, &selector, &sight).await?;
    Ok(Json(SandboxObservabilityResponse::new(monitored)))
}

/// Shows what a sandbox says and uses, under its former path.
///
/// Of each kind the newest `limit` between `since` and `until`, oldest first.
#[utoipa::path(
    get, path = "/sandbox/monitoring/{sandbox_id}", operation_id = "get_sandbox_monitoring_formerly", tag = "sandboxes",
    params(Sandbox, MonitoringQuery),
    responses(
        (status = 200, description = "logs and metrics", body = SandboxObservabilityResponse),
        Guarded, NotFound, BadQuery,
    ),
)]
pub(super) async fn monitoring_formerly(
    state: State<Api>,
    caller: Caller,
    sandbox: Sandbox,
    query: Query<Parameters>,
) -> Result<Json<SandboxObservabilityResponse>, ApiError> {
    monitoring(state, caller, sandbox, query).await
}

/// The parameters, and what is wrong with them so far. Those of other names are ignored.
struct Checks {
    parameters: Parameters,
    issues: Vec<Issue>,
}

/// What of a task's output is reported as which stream: awslogs does not tell them apart.
#[derive(Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
enum Stream {
    Stdout,
    Stderr,
}

impl Checks {
    fn sight(mut self, now: Timestamp) -> Result<Sight, ApiError> {
        let until = self.moment("until");
        let since = self.moment("since");
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            self.fault("since", "must not be after until", "value_error");
        }
        let limit = self.one("limit").and_then(|text| self.limit(&text)).unwrap_or(DEFAULT_LIMIT);
        let stream = self.one("stream").and_then(|text| self.stream(&text));
        let (logs, metrics) =
            self.one("include").and_then(|text| self.include(&text)).unwrap_or((true, true));
        if !self.issues.is_empty() {
            return Err(ApiError::invalid(self.issues));
        }
        Ok(Sight {
            since: since.unwrap_or_else(|| until.unwrap_or(now) - DEFAULT_SPAN),
            until,
            limit,
            logs: logs && stream != Some(Stream::Stderr),
            metrics,
        })
    }

    fn fault(&mut self, name: &str, message: impl Into<String>, kind: &'static str) {
        self.issues.push(Issue::new(&["query", name], message, kind));
    }

    /// The value of a parameter that may be given once.
    fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.parameters.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        let value = values.next().cloned();
        if values.next().is_some() {
            self.fault(name, "must be given once", "value_error");
            return None;
        }
        value
    }

    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.one(name)?;
        let moment = wire::moment(&text);
        if moment.is_none() {
            self.fault(name, "must be an ISO 8601 date and time", "value_error");
        }
        moment
    }

    fn limit(&mut self, text: &str) -> Option<u16> {
        let limit = text.parse().ok().filter(|limit| LIMIT.contains(limit));
        if limit.is_none() {
            let message = format!("must be a number from {} to {}", LIMIT.start(), LIMIT.end());
            self.fault("limit", message, "out_of_range");
        }
        limit
    }

    fn stream(&mut self, text: &str) -> Option<Stream> {
        match text {
            "stdout" => Some(Stream::Stdout),
            "stderr" => Some(Stream::Stderr),
            _ => {
                self.fault("stream", "must be stdout or stderr", "enum");
                None
            }
        }
    }

    /// Whether logs and metrics are wanted.
    fn include(&mut self, text: &str) -> Option<(bool, bool)> {
        let words: Vec<&str> = text.split(',').map(str::trim).collect();
        if words.iter().all(|word| ["logs", "metrics"].contains(word)) {
            return Some((words.contains(&"logs"), words.contains(&"metrics")));
        }
        self.fault("include", "must be a comma-separated list of logs and metrics", "enum");
        None
    }
}
