use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A task as `deadline --supervise` reads it from its standard input, one JSON document until the end of it. It comes
/// this way so that no value of an environment is on disk or in the sidecar's own environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Started in this order.
    pub containers: Vec<ContainerSpec>,
    /// How long processes have between SIGTERM and SIGKILL.
    pub stop_timeout_ms: u64,
    /// The file to which [`ReportLine`](crate::ReportLine)s are appended; created if it is not there.
    pub report: PathBuf,
    /// The log of the sidecar itself: what the task has used, in the form of `contract`.
    pub usage_log: PathBuf,
    /// The sidecar's own variables (deadline, address and token of the API), each over the one of that name in its
    /// environment.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub env: Variables,
}

/// One process to start, with exactly the environment given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// How the report calls it; not empty, no white space.
    pub name: String,
    /// Whether the task ends when it exits.
    pub essential: bool,
    /// A path, or a name looked up in the `PATH` of `env`.
    pub program: PathBuf,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Variables,
    /// The folder it starts in; it must exist.
    pub cwd: PathBuf,
    /// The file to which its output is appended as [`LogLine`](crate::LogLine)s; created, readable by its owner only, if
    /// it is not there.
    pub log: PathBuf,
}

/// Environment variables. Debug output shows their names only.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Variables {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Why a document is no task. Says where, never what was there: that may be a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoTask {
    #[error("the task document is not what it should be, at line {line} column {column}")]
    Malformed { line: usize, column: usize },
    #[error("a container's name is empty or has white space")]
    Name,
}

impl TaskSpec {
    pub(crate) fn read(document: &[u8]) -> Result<Self, NoTask> {
        let task: Self = serde_json::from_slice(document)
            .map_err(|error| NoTask::Malformed { line: error.line(), column: error.column() })?;
        let is_name = |name: &str| !name.is_empty() && !name.contains(char::is_whitespace);
        if task.containers.iter().all(|container| is_name(&container.name)) {
            Ok(task)
        } else {
            Err(NoTask::Name)
        }
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.stop_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"containers":[{"name":"main","essential":true,"program":"/bin/true","args":["a"],
        "env":{"KEY":"hush"},"cwd":"/","log":"/dev/null"}],
        "stop_timeout_ms":2000,"report":"/dev/null","usage_log":"/dev/null"}"#;

    #[test]
    fn what_is_written_is_read_back() {
        let task = TaskSpec::read(DOCUMENT.as_bytes()).unwrap();
        assert_eq!(TaskSpec::read(&serde_json::to_vec(&task).unwrap()).unwrap(), task);
    }

    #[test]
    fn values_are_in_no_debug_text_and_no_error() {
        let task = TaskSpec::read(DOCUMENT.as_bytes()).unwrap();
        let text = format!("{task:?}");
        assert!(text.contains("KEY") && !text.contains("hush"), "{text}");
        let wrong = DOCUMENT.replace(r#"{"KEY":"hush"}"#, r#""hush""#);
        let text = TaskSpec::read(wrong.as_bytes()).unwrap_err().to_string();
        assert!(!text.contains("hush"), "{text}");
    }

    #[test]
    fn a_name_that_would_break_a_report_line_is_refused() {
        for name in ["", "a b", "a\\n"] {
            let wrong = DOCUMENT.replace("\"main\"", &format!("\"{name}\""));
            assert!(TaskSpec::read(wrong.as_bytes()).is_err(), "{name:?}");
        }
    }
}
