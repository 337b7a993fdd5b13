//! CloudWatch Logs as far as the product reads it: what the containers of this cluster's tasks have said.
//!
//! The awslogs driver of ECS is part of it: it writes stdout and stderr into one stream, which says of neither which it
//! was, and it leaves empty lines out.

use std::{ops::Range, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use modbox_sandbox::Clock;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    aws_json::{Answer, AwsError},
    cloud::Service,
    ecs::{Engine, Said},
};

/// What a page holds at most (API reference, GetLogEvents).
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 1024 * 1024;
/// What an event counts beside its message.
const BYTES_PER_EVENT: usize = 26;

/// The one log group of the account, whose streams are those of the tasks that the engine knows.
#[derive(Debug)]
pub struct Logs {
    group: String,
    engine: Arc<dyn Engine>,
    clock: Arc<dyn Clock>,
}

impl Logs {
    pub fn new(group: impl Into<String>, engine: Arc<dyn Engine>, clock: Arc<dyn Clock>) -> Self {
        Self { group: group.into(), engine, clock }
    }

    async fn get_log_events(&self, body: Value) -> Answer {
        let request: GetLogEvents =
            serde_json::from_value(body).map_err(|error| invalid(&error.to_string()))?;
        let limit = request.limit.unwrap_or(MAX_EVENTS);
        if !(1..=MAX_EVENTS).contains(&limit) {
            return Err(invalid("limit must be from 1 to 10000"));
        }
        if request.log_group_name.or(request.log_group_identifier).as_deref() != Some(self.group.as_str()) {
            return Err(not_found("The specified log group does not exist."));
        }
        let mut events = self.stream(&request.log_stream_name).await?;
        let (start, end) = (request.start_time.unwrap_or(0), request.end_time.unwrap_or(i64::MAX));
        events.retain(|said| (start..end).contains(&said.at.millis()) && !said.text.is_empty());
        let place = match &request.next_token {
            Some(token) => token.parse()?,
            None if request.start_from_head => Place::From(0),
            None => Place::Before(events.len()),
        };
        let range = place.page(&events, limit);
        let ingested = self.clock.now().millis();
        let page = events.get(range.clone()).unwrap_or_default().iter();
        let event = |said: &Said| json!({"timestamp": said.at.millis(), "message": said.text, "ingestionTime": ingested});
        Ok(json!({
            "events": page.map(event).collect::<Vec<_>>(),
            "nextBackwardToken": Place::Before(range.start).token(),
            "nextForwardToken": Place::From(range.end).token(),
        }))
    }

    /// A stream is called `<prefix>/<container>/<task id>`, and the prefix in our task definitions as the container.
    async fn stream(&self, name: &str) -> Result<Vec<Said>, AwsError> {
        let missing = || not_found("The specified log stream does not exist.");
        let parts: Vec<&str> = name.split('/').collect();
        let [prefix, container, task_id] = *parts.as_slice() else { return Err(missing()) };
        if prefix != container {
            return Err(missing());
        }
        let said = self.engine.log(task_id, container).await;
        let said = said.map_err(|error| AwsError {
            status: 500,
            ..AwsError::client("ServiceUnavailableException", error.to_string())
        })?;
        said.ok_or_else(missing)
    }
}

impl Service for Logs {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        match operation {
            "GetLogEvents" => self.get_log_events(body).boxed(),
            _ => std::future::ready(Err(AwsError::unknown_operation(operation))).boxed(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: String,
    start_time: Option<i64>,
    end_time: Option<i64>,
    limit: Option<usize>,
    #[serde(default)]
    start_from_head: bool,
    next_token: Option<String>,
}

/// Where a page lies among the events of its range. At either end there is no further, and the token stays the same.
#[derive(Clone, Copy, Debug)]
enum Place {
    From(usize),
    Before(usize),
}

impl Place {
    fn token(self) -> String {
        match self {
            Self::From(at) => format!("f/{at}"),
            Self::Before(at) => format!("b/{at}"),
        }
    }

    /// As many as fit: from the oldest on, or up to the newest.
    fn page(self, events: &[Said], limit: usize) -> Range<usize> {
        let mut bytes = 0;
        let mut fits = |said: &&Said| {
            bytes += said.text.len() + BYTES_PER_EVENT;
            bytes <= MAX_BYTES
        };
        match self {
            Self::From(at) => {
                let at = at.min(events.len());
                let rest = events.get(at..).unwrap_or_default();
                at..at + rest.iter().take(limit).take_while(&mut fits).count()
            }
            Self::Before(at) => {
                let at = at.min(events.len());
                let rest = events.get(..at).unwrap_or_default();
                at - rest.iter().rev().take(limit).take_while(&mut fits).count()..at
            }
        }
    }
}

impl std::str::FromStr for Place {
    type Err = AwsError;

    fn from_str(token: &str) -> Result<Self, AwsError> {
        let place = match token.split_once('/') {
            Some(("f", at)) => at.parse().ok().map(Self::From),
            Some(("b", at)) => at.parse().ok().map(Self::Before),
            _ => None,
        };
        place.ok_or_else(|| invalid("The specified nextToken is invalid."))
    }
}

fn invalid(message: &str) -> AwsError {
    AwsError::client("InvalidParameterException", message)
}

fn not_found(message: &str) -> AwsError {
    AwsError::client("ResourceNotFoundException", message)
}

#[cfg(test)]
mod tests {
    use modbox_sandbox::Timestamp;

    use super::*;

    fn events(count: usize, length: usize) -> Vec<Said> {
        vec![Said { at: Timestamp::from_millis(0), text: "x".repeat(length) }; count]
    }

    #[test]
    fn a_page_is_the_oldest_or_the_newest_that_fit() {
        let ten = events(10, 1);
        assert_eq!(Place::From(0).page(&ten, 4), 0..4);
        assert_eq!(Place::From(8).page(&ten, 4), 8..10);
        assert_eq!(Place::Before(10).page(&ten, 4), 6..10);
        assert_eq!(Place::Before(2).page(&ten, 4), 0..2);
        assert_eq!((Place::From(11).page(&ten, 4), Place::Before(0).page(&ten, 4)), (10..10, 0..0));
    }

    #[test]
    fn a_page_holds_a_megabyte() {
        let large = events(10, 256 * 1024);
        assert_eq!(Place::From(0).page(&large, 10), 0..3);
        assert_eq!(Place::Before(10).page(&large, 10), 7..10);
    }
}
