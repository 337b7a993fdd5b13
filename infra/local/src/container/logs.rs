//! What containers have said: from the engine as long as they are there, and kept for a while after that.

use bollard::{Docker, container::LogOutput, errors::Error, query_parameters::LogsOptionsBuilder};
use futures::TryStreamExt as _;
use modbox_sandbox::Timestamp;
use modbox_sidecar::{LogLine, Stream};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{Shared, plan};
use crate::{ecs::Launch, kept_logs};

/// All that a container has said, oldest first.
pub(super) async fn read(docker: &Docker, container: &str) -> Result<Vec<LogLine>, Error> {
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true).build();
    let said: Vec<LogOutput> = docker.logs(container, Some(options)).try_collect().await?;
    Ok(said.iter().filter_map(line).collect())
}

/// Keeps what the containers of a task have said, which are about to be removed. What cannot be kept goes with them.
pub(super) async fn keep(shared: &Shared, launch: &Launch) {
    let mut logs = Vec::new();
    for container in &launch.containers {
        let lines = read(&shared.docker, &plan::name(launch.task_id(), &container.name)).await;
        logs.push((container.name.clone(), lines.unwrap_or_default()));
    }
    if let Err(error) = kept_logs::write(&shared.data, launch.task_id(), logs).await {
        tracing::warn!(task.arn = launch.task_arn, %error, "failed to keep what a task has said");
    }
}

/// A line, which begins with its time.
fn line(output: &LogOutput) -> Option<LogLine> {
    let stream = match output {
        LogOutput::StdErr { .. } => Stream::Stderr,
        _ => Stream::Stdout,
    };
    let text = String::from_utf8_lossy(output.as_ref());
    let (time, log) = text.split_once(' ')?;
    let time = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    let millis = i64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some(LogLine { log: log.to_owned(), stream, time: Timestamp::from_millis(millis) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_its_time() {
        let message = "2027-01-15T08:00:00.123456789Z hello there\n".into();
        let line = line(&LogOutput::StdErr { message }).unwrap();
        assert_eq!((line.log.as_str(), line.stream), ("hello there\n", Stream::Stderr));
        assert_eq!(line.time.millis(), 1_800_000_000_123);
        assert!(super::line(&LogOutput::StdOut { message: "soon hello".into() }).is_none());
    }
}
