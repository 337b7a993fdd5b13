//! CloudWatch Logs: what the containers of tasks have said.

use aws_sdk_cloudwatchlogs::{
    Client,
    operation::get_log_events::{GetLogEventsError, GetLogEventsOutput},
    types::OutputLogEvent,
};
use modbox_sandbox::{TaskArn, Timestamp};

use crate::{Connection, Error, error::classify, tasks::log_stream};

/// A page may be short, even empty, although there is something further back (API reference, GetLogEvents); so many are
/// read at most.
const MAX_PAGES: usize = 5;
/// As much as a full page holds, as CloudWatch counts: a caller may have to send it on in one answer.
const MAX_BYTES: usize = 1024 * 1024;
/// What an event counts beside its message.
const BYTES_PER_EVENT: usize = 26;

/// Handle on the log group of the tasks; cheap to clone.
#[derive(Clone, Debug)]
pub struct TaskLogs {
    client: Client,
    group: String,
}

/// Which lines are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first moment of it.
    pub since: Timestamp,
    /// The first moment after it; absent: whatever is there.
    pub until: Option<Timestamp>,
    /// The newest of them, at most so many; from 1 to 10,000.
    pub limit: u16,
}

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub at: Timestamp,
    pub text: String,
}

impl TaskLogs {
    pub fn new(connection: &Connection, group: impl Into<String>) -> Self {
        Self { client: connection.cloudwatchlogs(), group: group.into() }
    }

    /// What a container of the task has said within the window, oldest first: its newest lines, 1 MB of them at most.
    /// A container that has not said anything, or whose log is gone, has said nothing.
    pub async fn read(&self, task: &TaskArn, container: &str, window: &Window) -> Result<Vec<Line>, Error> {
        let since = window.since.millis().max(0);
        if window.until.is_some_and(|until| until.millis() <= since) {
            return Ok(Vec::new());
        }
        let stream = log_stream(container, task);
        let mut newest = Newest { lines: Vec::new(), limit: window.limit.into(), bytes: 0 };
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let Some(page) = self.page(&stream, window, token.as_deref()).await? else { break };
            let full = !page.events().iter().rev().all(|event| newest.take(event));
            let next = page.next_backward_token().map(ToOwned::to_owned);
            // The same token again says that there is nothing further back.
            if full || newest.lines.len() == newest.limit || next.is_none() || next == token {
                break;
            }
            token = next;
        }
        newest.lines.reverse();
        Ok(newest.lines)
    }

    /// None: there is no such stream.
    async fn page(
        &self,
        stream: &str,
        window: &Window,
        token: Option<&str>,
    ) -> Result<Option<GetLogEventsOutput>, Error> {
        let call = self
            .client
            .get_log_events()
            .log_group_name(&self.group)
            .log_stream_name(stream)
            .start_time(window.since.millis().max(0))
            .set_end_time(window.until.map(|until| until.millis().max(0)))
            .limit(window.limit.into())
            .start_from_head(false)
            .set_next_token(token.map(ToOwned::to_owned));
        match call.send().await {
            Ok(page) => Ok(Some(page)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(GetLogEventsError::is_resource_not_found_exception) =>
            {
                Ok(None)
            }
            Err(error) => Err(classify("GetLogEvents", error)),
        }
    }
}

/// The newest lines, backward, as far as there is room for them.
struct Newest {
    lines: Vec<Line>,
    limit: usize,
    bytes: usize,
}

impl Newest {
    /// Takes the event before those that it has; false if there is no room for it.
    fn take(&mut self, event: &OutputLogEvent) -> bool {
        let text = event.message().unwrap_or_default();
        self.bytes += text.len() + BYTES_PER_EVENT;
        let fits = self.lines.len() < self.limit && self.bytes <= MAX_BYTES;
        if fits {
            let at = Timestamp::from_millis(event.timestamp().unwrap_or_default());
            self.lines.push(Line { at, text: text.to_owned() });
        }
        fits
    }
}
