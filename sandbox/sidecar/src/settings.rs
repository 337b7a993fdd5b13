use std::collections::BTreeMap;

use modbox_sandbox::{Timestamp, contract};

use crate::api::Api;

/// The variables that a sidecar reads: the process's own, under those that a task document gives.
#[derive(Default)]
pub(crate) struct Settings {
    given: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error)]
#[error("{name} is {problem}")]
pub(crate) struct Unusable {
    name: &'static str,
    problem: &'static str,
}

impl Settings {
    pub(crate) fn with(given: BTreeMap<String, String>) -> Self {
        Self { given }
    }

    /// None: the sandbox never expires. A value that is no time is refused rather than taken for never.
    pub(crate) fn expires_at(&self) -> Result<Option<Timestamp>, Unusable> {
        self.number(contract::EXPIRES_AT_MS).map(|millis| millis.map(Timestamp::from_millis))
    }

    pub(crate) fn readiness_port(&self) -> Result<u16, Unusable> {
        let name = contract::READINESS_PORT;
        self.number(name)?.ok_or(Unusable { name, problem: "not set" })
    }

    pub(crate) fn task_address(&self) -> String {
        self.text(contract::TASK_ADDRESS).unwrap_or_else(|| "127.0.0.1".to_owned())
    }

    pub(crate) fn sandbox_id(&self) -> Option<String> {
        self.text(contract::SANDBOX_ID)
    }

    /// Where ECS tells a container about its task; it sets this variable in each (Fargate platform 1.4).
    pub(crate) fn task_metadata(&self) -> Option<String> {
        self.text("ECS_CONTAINER_METADATA_URI_V4")
    }

    /// The API, if all of its address, the sandbox's id and the token are known.
    pub(crate) fn api(&self) -> Option<Api> {
        let base = self.text(contract::API_URL)?;
        let token = self.text(contract::TASK_TOKEN)?;
        Some(Api::new(&base, &self.sandbox_id()?, &token))
    }

    fn number<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Unusable> {
        let not_a_number = |_| Unusable { name, problem: "not a number in range" };
        self.text(name).map(|text| text.parse().map_err(not_a_number)).transpose()
    }

    fn text(&self, name: &str) -> Option<String> {
        self.given.get(name).cloned().or_else(|| std::env::var(name).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> Settings {
        Settings::with(BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    #[test]
    fn a_deadline_that_is_no_time_is_not_never() {
        for value in ["", "soon", "1.5", "99999999999999999999"] {
            assert!(given(contract::EXPIRES_AT_MS, value).expires_at().is_err(), "{value:?}");
        }
        assert_eq!(Settings::default().expires_at().unwrap(), None);
        let at = given(contract::EXPIRES_AT_MS, "1700000000000").expires_at().unwrap();
        assert_eq!(at, Some(Timestamp::from_millis(1_700_000_000_000)));
    }

    #[test]
    fn a_port_is_needed_and_in_range() {
        assert!(Settings::default().readiness_port().is_err());
        assert!(given(contract::READINESS_PORT, "65536").readiness_port().is_err());
        assert_eq!(given(contract::READINESS_PORT, "80").readiness_port().unwrap(), 80);
    }

    #[test]
    fn an_api_without_token_is_none() {
        assert!(given(contract::API_URL, "http://127.0.0.1:1").api().is_none());
    }
}
