use std::time::Duration;

use modbox_sandbox::Timestamp;
use serde_json::Value;
use ureq::Agent;

/// The longest that one request takes, from name look-up to the end of the body.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// The answers are a few dozen bytes; what is longer is none of them.
const ANSWER_LIMIT: u64 = 64 * 1024;

/// The API as the task's own token sees it.
pub(crate) struct Api {
    agent: Agent,
    sandbox: String,
    bearer: String,
}

/// When the sandbox ends, as the API says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    At(Timestamp),
    Never,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// It was taken, or refused for good.
    Final,
    /// The API could not be reached, or asked to come again.
    Again,
}

impl Api {
    pub(crate) fn new(base: &str, id: &str, token: &str) -> Self {
        Self {
            agent: agent(REQUEST_TIMEOUT),
            sandbox: format!("{}/sandboxes/{id}", base.trim_end_matches('/')),
            bearer: format!("Bearer {token}"),
        }
    }

    /// None: there was no answer that says it.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        let request = self.agent.get(format!("{}/deadline", self.sandbox));
        let mut answer = request.header("authorization", &self.bearer).call().ok()?;
        if !answer.status().is_success() {
            return None;
        }
        let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec().ok()?;
        Deadline::read(&body)
    }

    /// Tells that the sandbox answers. To be repeated while [`Report::Again`].
    pub(crate) fn report_ready(&self) -> Report {
        let request = self.agent.post(format!("{}/ready", self.sandbox));
        let request =
            request.header("authorization", &self.bearer).header("content-type", "application/json");
        match request.send("{}") {
            Ok(answer) => report_for(answer.status().as_u16()),
            Err(_) => Report::Again,
        }
    }
}

/// An agent that follows no redirect, since neither a token nor a probe is meant for another place, and for which
/// every status is an answer.
pub(crate) fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("modbox-sidecar")
        .build()
        .into()
}

/// 409: the row does not say yet that there is a task. 408, 429 and 5xx: the API is busy or down.
fn report_for(status: u16) -> Report {
    match status {
        408 | 409 | 429 | 500.. => Report::Again,
        _ => Report::Final,
    }
}

impl Deadline {
    /// Reads an answer of the API. Only a null that is really there means never.
    pub fn read(body: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(body).ok()?;
        match answer.get("expires_at_unix_ms")? {
            Value::Null => Some(Self::Never),
            Value::Number(millis) => millis.as_i64().map(Timestamp::from_millis).map(Self::At),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_null_that_is_there_means_never() {
        assert_eq!(Deadline::read(br#"{"expires_at_unix_ms":null}"#), Some(Deadline::Never));
        let at = Deadline::At(Timestamp::from_millis(5));
        assert_eq!(Deadline::read(br#"{"expires_at":"x","expires_at_unix_ms":5}"#), Some(at));
        for other in
            ["{}", "null", "[]", "", r#"{"expires_at_unix_ms":"5"}"#, r#"{"expires_at_unix_ms":1e99}"#]
        {
            assert_eq!(Deadline::read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_refusal_is_final_and_a_conflict_or_outage_is_not() {
        for status in [200, 204, 302, 400, 401, 403, 404, 422] {
            assert_eq!(report_for(status), Report::Final, "{status}");
        }
        for status in [408, 409, 429, 500, 502, 503, 504] {
            assert_eq!(report_for(status), Report::Again, "{status}");
        }
    }
}
