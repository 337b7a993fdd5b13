//! What goes over the wire (reference: a.2, schemas).

use std::collections::BTreeMap;

use modbox_control::{Line, Monitored, Sample};
use modbox_sandbox::{Sandbox, Status, Timestamp, contract};
use serde::Serialize;
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
    macros::format_description,
};

#[derive(Serialize)]
pub(super) struct ProvisionResponse {
    pub(super) success: bool,
    pub(super) sandbox_id: String,
    pub(super) status: &'static str,
    pub(super) sandbox_url: Option<String>,
    pub(super) error: Option<String>,
    pub(super) endpoint: Endpoint,
    pub(super) capabilities: BTreeMap<&'static str, String>,
    pub(super) expires_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Endpoint {
    pub(super) base_url: String,
    pub(super) api_url: String,
    pub(super) access_token: String,
}

#[derive(Debug, Serialize)]
pub(super) struct WaitResponse {
    pub(super) ready: bool,
    pub(super) elapsed_seconds: f64,
    pub(super) status: &'static str,
    pub(super) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct StatusResponse {
    pub(super) ready: bool,
    pub(super) name: String,
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct DestroyResponse {
    pub(super) success: bool,
    pub(super) error: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxListItem {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: &'static str,
    pub(super) image: String,
    pub(super) sandbox_url: Option<String>,
    pub(super) created_at: String,
    pub(super) destroyed_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxDetail {
    #[serde(flatten)]
    pub(super) item: SandboxListItem,
    pub(super) created_by: String,
    pub(super) updated_at: String,
    pub(super) expires_at: Option<String>,
    pub(super) capabilities: Option<BTreeMap<&'static str, String>>,
    /// Ours: why it ended.
    pub(super) reason: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxListResponse {
    pub(super) sandboxes: Vec<SandboxListItem>,
    pub(super) total: usize,
}

/// What a sandbox has said and used, oldest first.
#[derive(Debug, Serialize)]
pub(super) struct SandboxObservabilityResponse {
    pub(super) sandbox_id: String,
    pub(super) sandbox_name: String,
    pub(super) logs: Vec<SandboxLogEntry>,
    pub(super) metrics: Vec<SandboxMetricPoint>,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxLogEntry {
    pub(super) timestamp: String,
    /// Always `stdout`: what a task says is kept as one stream.
    pub(super) stream: &'static str,
    /// One line, without its end.
    pub(super) log: String,
}

#[derive(Debug, Serialize)]
pub(super) struct SandboxMetricPoint {
    pub(super) timestamp: String,
    /// Of all processors since the start, in seconds.
    pub(super) cpu_usage: f64,
    /// In bytes.
    pub(super) memory_usage: u64,
}

impl SandboxObservabilityResponse {
    pub(super) fn new(monitored: Monitored) -> Self {
        let log = |line: Line| SandboxLogEntry { timestamp: iso(line.at), stream: "stdout", log: line.text };
        let metric = |sample: Sample| SandboxMetricPoint {
            timestamp: iso(sample.at),
            cpu_usage: sample.cpu_seconds,
            memory_usage: sample.memory_bytes,
        };
        Self {
            sandbox_id: monitored.sandbox.id.to_string(),
            sandbox_name: monitored.sandbox.name.to_string(),
            logs: monitored.logs.into_iter().map(log).collect(),
            metrics: monitored.metrics.into_iter().map(metric).collect(),
        }
    }
}

impl SandboxListItem {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let status = sandbox.status(now);
        Self {
            id: sandbox.id.to_string(),
            name: sandbox.name.to_string(),
            status: status_word(status),
            image: sandbox.spec.image.clone(),
            sandbox_url: (status == Status::Running).then(|| sandbox.spec.url.clone()),
            created_at: iso(sandbox.created_at),
            destroyed_at: sandbox.end(now).map(|end| iso(end.at)),
        }
    }
}

impl SandboxDetail {
    pub(super) fn new(sandbox: &Sandbox, now: Timestamp) -> Self {
        let running = sandbox.status(now) == Status::Running;
        Self {
            item: SandboxListItem::new(sandbox, now),
            created_by: sandbox.owner.to_string(),
            updated_at: iso(sandbox.updated_at),
            expires_at: sandbox.expires_at.map(iso),
            capabilities: running.then(|| capabilities(sandbox)),
            reason: reason(sandbox, now),
        }
    }
}

/// What answers under which address. An image of the caller's own has none that we know of.
pub(super) fn capabilities(sandbox: &Sandbox) -> BTreeMap<&'static str, String> {
    if !contract::is_built_in(&sandbox.spec.image) {
        return BTreeMap::new();
    }
    let api = api_url(sandbox);
    BTreeMap::from([("exec", format!("{api}/exec")), ("files", format!("{api}/files"))])
}

/// The base of the runtime's own API.
pub(super) fn api_url(sandbox: &Sandbox) -> String {
    format!("{}/modbox/api", sandbox.spec.url)
}

pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Provisioning => "provisioning",
        Status::Running => "running",
        Status::Destroyed => "destroyed",
    }
}

/// Why it is over, in words; nothing while it lives.
pub(super) fn reason(sandbox: &Sandbox, now: Timestamp) -> Option<String> {
    sandbox.end(now).map(|end| end.reason.to_string())
}

/// ISO 8601 in UTC, always with three digits of milliseconds: then the order of the texts is that of the moments.
pub(super) fn iso(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_default()
}

/// A moment that a caller gives in ISO 8601; in UTC where it has no offset.
pub(super) fn moment(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Iso8601::DEFAULT))
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc));
    let millis = at.ok()?.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset_or_is_in_utc() {
        for text in [
            "2027-01-15T08:00:00.123Z",
            "2027-01-15T08:00:00.123456+00:00",
            "2027-01-15T10:00:00.123+02:00",
            "2027-01-15T08:00:00.123",
            "20270115T080000.123Z",
        ] {
            assert_eq!(moment(text).map(Timestamp::millis), Some(1_800_000_000_123), "{text}");
        }
        assert_eq!(moment("1969-12-31T23:59:59.999Z").map(Timestamp::millis), Some(-1));
    }

    #[test]
    fn what_is_no_date_with_a_time_is_no_moment() {
        for text in ["", "now", "2027-01-15", "1800000000", "2027-13-15T08:00:00Z", "2027-01-15T08:00:00Z "] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
