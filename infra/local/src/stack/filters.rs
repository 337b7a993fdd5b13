//! Which changes of the table wake whom (rule 1): the filters of the two event source mappings.

use serde_json::{Value, json};

use crate::plumbing::filter::{Filter, InvalidFilter};

/// A row wants a task.
pub(super) fn launcher() -> Result<Vec<Filter>, InvalidFilter> {
    read(&[json!({"dynamodb": {"NewImage": {"wants": {"S": ["task"]}}}})])
}

/// A row wants its task stopped, a live row was removed, or a live row ended.
pub(super) fn reaper() -> Result<Vec<Filter>, InvalidFilter> {
    read(&[
        json!({"dynamodb": {"NewImage": {"wants": {"S": ["stop"]}, "task_arn": {"S": [{"exists": true}]}}}}),
        json!({"dynamodb": {
            "OldImage": {"live": {"S": [{"exists": true}]}},
            "NewImage": {"live": {"S": [{"exists": false}]}},
        }}),
    ])
}

fn read(patterns: &[Value]) -> Result<Vec<Filter>, InvalidFilter> {
    patterns.iter().map(Filter::parse).collect()
}
