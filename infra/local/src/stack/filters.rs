//! Which changes of the table wake whom (rule 1): the filters of the two event source mappings, in Lambda's own form.
//! `infra/template.yaml` deploys the same.

use crate::plumbing::filter::{Filter, InvalidFilter};

/// A row wants a task.
pub const LAUNCHER: [&str; 1] = [r#"{"dynamodb": {"NewImage": {"wants": {"S": ["task"]}}}}"#];

/// A row wants its task stopped, a live row was removed, a live row ended, or a sandbox runs.
pub const REAPER: [&str; 3] = [
    r#"{"dynamodb": {"NewImage": {"wants": {"S": ["stop"]}, "task_arn": {"S": [{"exists": true}]}}}}"#,
    r#"{"dynamodb": {
        "OldImage": {"live": {"S": [{"exists": true}]}},
        "NewImage": {"live": {"S": [{"exists": false}]}}
    }}"#,
    r#"{"dynamodb": {"OldImage": {"state": {"S": ["provisioning"]}}, "NewImage": {"state": {"S": ["running"]}}}}"#,
];

pub(super) fn read(patterns: &[&str]) -> Result<Vec<Filter>, InvalidFilter> {
    patterns.iter().map(|pattern| Filter::parse(&serde_json::from_str(pattern).unwrap_or_default())).collect()
}
