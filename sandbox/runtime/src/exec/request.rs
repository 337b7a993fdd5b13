use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, access};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::{Detail, Failure};

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=3600.0;
/// Linux takes no argument and no environment entry that is longer (`MAX_ARG_STRLEN`), its final NUL included.
const LONGEST_ENTRY: usize = 128 * 1024 - 1;

/// A command that can be started, as far as can be said before.
#[derive(Debug, PartialEq)]
pub(crate) struct ExecRequest {
    pub(crate) command: String,
    /// Absent: the workspace.
    pub(crate) cwd: Option<PathBuf>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
}

/// As it comes; null is the same as absent everywhere.
#[derive(Deserialize)]
struct Wire {
    command: Option<String>,
    cwd: Option<PathBuf>,
    env: Option<BTreeMap<String, Option<String>>>,
    timeout_seconds: Option<f64>,
}

impl ExecRequest {
    /// Names every field that is wrong, except that a wrong type hides the others.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Failure> {
        let wire = read(body)?;
        let mut details = Vec::new();
        let env: BTreeMap<String, String> = wire
            .env
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(name, value)| value.map(|value| (name, value)))
            .collect();
        let mut check = |field: String, issue: Option<String>| {
            details.extend(issue.map(|issue| Detail { field, issue }));
        };
        check("body.command".to_owned(), command_issue(wire.command.as_deref()));
        check("body.cwd".to_owned(), wire.cwd.as_deref().and_then(cwd_issue));
        for (name, value) in &env {
            check(format!("body.env.{name}"), env_issue(name, value));
        }
        check("body.timeout_seconds".to_owned(), wire.timeout_seconds.and_then(timeout_issue));
        if !details.is_empty() {
            return Err(Failure::Invalid(details));
        }
        Ok(Self {
            command: wire.command.unwrap_or_default(),
            cwd: wire.cwd,
            env,
            timeout: wire.timeout_seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs_f64),
        })
    }
}

fn read(body: &[u8]) -> Result<Wire, Failure> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Failure::invalid("body", format!("is not JSON: {error}")))?;
    if !value.is_object() {
        return Err(Failure::invalid("body", "is not an object"));
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let field = format!("body.{}", error.path());
        Failure::invalid(field, "has the wrong type")
    })
}

fn command_issue(command: Option<&str>) -> Option<String> {
    match command {
        None => Some("is required".to_owned()),
        Some(command) => entry_issue(command.len(), command),
    }
}

fn env_issue(name: &str, value: &str) -> Option<String> {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Some("is not a name: letters, digits and underscores, no digit first".to_owned());
    }
    entry_issue(name.len() + 1 + value.len(), value)
}

fn entry_issue(length: usize, value: &str) -> Option<String> {
    if value.contains('\0') {
        Some("contains a NUL".to_owned())
    } else if length > LONGEST_ENTRY {
        Some(format!("is longer than {LONGEST_ENTRY} bytes, the most that Linux takes"))
    } else {
        None
    }
}

fn cwd_issue(cwd: &Path) -> Option<String> {
    if !cwd.is_dir() {
        Some("is not a folder".to_owned())
    } else if access(cwd, Access::EXEC_OK).is_err() {
        Some("may not be entered".to_owned())
    } else {
        None
    }
}

fn timeout_issue(seconds: f64) -> Option<String> {
    let (from, to) = (TIMEOUT_SECONDS.start(), TIMEOUT_SECONDS.end());
    (!TIMEOUT_SECONDS.contains(&seconds)).then(|| format!("is not between {from} and {to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Vec<String> {
        match ExecRequest::parse(body.as_bytes()) {
            Err(Failure::Invalid(details)) => details.into_iter().map(|detail| detail.field).collect(),
            other => panic!("{body} gave {other:?}"),
        }
    }

    #[test]
    fn a_command_alone_has_defaults_and_null_is_absent() {
        let alone = ExecRequest::parse(br#"{"command":"true"}"#).unwrap();
        assert_eq!(alone.timeout, DEFAULT_TIMEOUT);
        let nulls = br#"{"command":"true","cwd":null,"env":null,"timeout_seconds":null,"other":[1]}"#;
        assert_eq!(ExecRequest::parse(nulls).unwrap(), alone);
        let null_value = br#"{"command":"true","env":{"A":null}}"#;
        assert_eq!(ExecRequest::parse(null_value).unwrap(), alone);
    }

    #[test]
    fn a_timeout_is_a_whole_or_a_broken_number() {
        for (seconds, millis) in [("1", 1_000), ("1.5", 1_500), ("3600", 3_600_000)] {
            let body = format!(r#"{{"command":"","timeout_seconds":{seconds}}}"#);
            let timeout = ExecRequest::parse(body.as_bytes()).unwrap().timeout;
            assert_eq!(timeout, Duration::from_millis(millis));
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, named) in [
            ("", "body"),
            ("[]", "body"),
            (r#"["true"]"#, "body"),
            ("{}", "body.command"),
            (r#"{"command":1}"#, "body.command"),
            (r#"{"command":"a\u0000b"}"#, "body.command"),
            (r#"{"command":"","cwd":"/no/such"}"#, "body.cwd"),
            (r#"{"command":"","cwd":""}"#, "body.cwd"),
            (r#"{"command":"","cwd":"/\u0000"}"#, "body.cwd"),
            (r#"{"command":"","cwd":7}"#, "body.cwd"),
            (r#"{"command":"","env":{"1A":""}}"#, "body.env.1A"),
            (r#"{"command":"","env":{"":""}}"#, "body.env."),
            (r#"{"command":"","env":{"A=B":""}}"#, "body.env.A=B"),
            (r#"{"command":"","env":{"A":"\u0000"}}"#, "body.env.A"),
            (r#"{"command":"","env":{"A":1}}"#, "body.env.A"),
            (r#"{"command":"","env":["A"]}"#, "body.env"),
            (r#"{"command":"","timeout_seconds":0.9}"#, "body.timeout_seconds"),
            (r#"{"command":"","timeout_seconds":3600.1}"#, "body.timeout_seconds"),
            (r#"{"command":"","timeout_seconds":-1}"#, "body.timeout_seconds"),
            (r#"{"command":"","timeout_seconds":"60"}"#, "body.timeout_seconds"),
            (r#"{"command":"","timeout_seconds":true}"#, "body.timeout_seconds"),
        ] {
            assert_eq!(fields(body), [named], "{body}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_named_at_once() {
        assert_eq!(
            fields(r#"{"env":{"-":""},"timeout_seconds":0}"#),
            ["body.command", "body.env.-", "body.timeout_seconds"]
        );
    }

    #[test]
    fn what_linux_would_not_take_is_refused() {
        let long = "x".repeat(LONGEST_ENTRY);
        assert!(ExecRequest::parse(format!(r#"{{"command":"{long}"}}"#).as_bytes()).is_ok());
        assert_eq!(fields(&format!(r#"{{"command":"{long}x"}}"#)), ["body.command"]);
        assert_eq!(fields(&format!(r#"{{"command":"","env":{{"A":"{long}"}}}}"#)), ["body.env.A"]);
    }
}
