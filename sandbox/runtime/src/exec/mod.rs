//! `POST /modbox/api/exec`: runs a command with bash and answers with what it said.

mod command;
mod output;
mod request;

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Serialize;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::{Runtime, body};
pub(crate) use command::Commands;
use command::Outcome;
pub use output::OUTPUT_LIMIT;
use request::ExecRequest;

/// What became of the command. Output that is not UTF-8 has replacement characters in it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecAnswer {
    /// 128 and the signal's number where a signal ended the command, 124 where its time was over.
    exit_code: i32,
    stdout: String,
    stderr: String,
    /// From before the command was started until its output was complete.
    duration_ms: u64,
    timed_out: bool,
    /// Whether there was more output than [`OUTPUT_LIMIT`] in either stream.
    truncated: bool,
    stdout_truncated: bool,
    stderr_truncated: bool,
}

/// The command ends with its children when the client goes before it is over, since nobody could be told of it.
pub(crate) async fn exec(
    State(runtime): State<Arc<Runtime>>,
    body: Body,
) -> Result<Json<ExecAnswer>, Failure> {
    let request = ExecRequest::parse(&body::read(body).await?)?;
    // Dropped with this future, which is when the connection is lost.
    let (_client, client_gone) = oneshot::channel();
    let running = tokio::spawn(async move {
        let ended = runtime.commands.run(request, client_gone).await;
        if let Ok(outcome) = &ended {
            runtime.log.say(outcome.to_string());
        }
        ended
    });
    let ended = running.await.map_err(|_| Failure::NotStarted("it was lost".to_owned()))?;
    ended.map(|outcome| Json(outcome.into()))
}

/// For the log: nothing of what the command was or said.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = if self.timed_out { "timed out" } else { "finished" };
        write!(f, "a command {how}: exit code {}, {} ms", self.exit_code, self.duration.as_millis())
    }
}

impl From<Outcome> for ExecAnswer {
    fn from(outcome: Outcome) -> Self {
        Self {
            exit_code: outcome.exit_code,
            duration_ms: u64::try_from(outcome.duration.as_millis()).unwrap_or(u64::MAX),
            timed_out: outcome.timed_out,
            truncated: outcome.stdout.truncated || outcome.stderr.truncated,
            stdout_truncated: outcome.stdout.truncated,
            stderr_truncated: outcome.stderr.truncated,
            stdout: outcome.stdout.text,
            stderr: outcome.stderr.text,
        }
    }
}
