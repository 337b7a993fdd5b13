//! Which changes of the table wake whom (rule 1): the filters of the two event source mappings, in Lambda's own form.
//! `infra/template.yaml` deploys the same.

use crate::plumbing::filter::{Filter, InvalidFilter};

/// A row wants a task.
pub const LAUNCHER: [&str; 1] = [r#"{"dynamodb": {"NewImage": {"wants": {"S": ["task"]}}}}"#];

/// A row wants its task stopped, a live row was removed, or a live row ended.
pub const REAPER: [&str; 2] = [
    r#"{"dynamodb": {"NewImage": {"wants": {"S": ["stop"]}, "task_arn": {"S": [{"exists": true}]}}}}"#,
    r#"{"dynamodb": {
        "OldImage": {"live": {"S": [{"exists": true}]}},
        "NewImage": {"live": {"S": [{"exists": false}]}}
    }}"#,
];

pub(super) fn read(patterns: &[&str]) -> Result<Vec<Filter>, InvalidFilter> {
    patterns.iter().map(|pattern| Filter::parse(&serde_json::from_str(pattern).unwrap_or_default())).collect()
}
