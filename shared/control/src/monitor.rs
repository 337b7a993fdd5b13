//! Monitor: what a sandbox says and what it uses, from the logs of its task.

use futures::future::try_join;
pub use modbox_aws::logs::Line;
use modbox_aws::logs::{TaskLogs, Window};
use modbox_sandbox::{Sandbox, TaskArn, Timestamp, UserId, contract};
use serde_json::Value;

use crate::{Api, Error, Selector};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The first moment of it.
    pub since: Timestamp,
    /// The first moment after it; absent: whatever is there.
    pub until: Option<Timestamp>,
    /// The newest lines, and the newest samples, at most so many of each.
    pub limit: u16,
    /// Whether the lines of the main container are wanted.
    pub logs: bool,
    /// Whether the samples of the task's usage are wanted.
    pub metrics: bool,
}

/// What was found, oldest first; nothing of what was not wanted.
#[derive(Debug)]
pub struct Monitored {
    pub sandbox: Sandbox,
    pub logs: Vec<Line>,
    pub metrics: Vec<Sample>,
}

/// What a task has used, as its `deadline` sidecar measured it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    /// Of all processors since the start, in seconds.
    pub cpu_seconds: f64,
    pub memory_bytes: u64,
}

impl Api {
    /// What the caller's sandbox says and uses, also after its end as far as its logs are still there. Before it has a
    /// task, or in a deployment that keeps no logs, that is nothing.
    pub async fn monitor(
        &self,
        owner: &UserId,
        selector: &Selector,
        sight: &Sight,
    ) -> Result<Monitored, Error> {
        let sandbox = self.get(owner, selector).await?.sandbox;
        let (mut logs, mut metrics) = (Vec::new(), Vec::new());
        if let (Some(task_logs), Some(task)) = (&self.logs, sandbox.task()) {
            let window = Window { since: sight.since, until: sight.until, limit: sight.limit };
            let read = Read { logs: task_logs, task: &task.arn, window };
            let (lines, samples) =
                try_join(read.of(contract::MAIN, sight.logs), read.of(contract::DEADLINE, sight.metrics))
                    .await?;
            logs = lines;
            metrics = samples.iter().filter_map(sample).collect();
        }
        Ok(Monitored { sandbox, logs, metrics })
    }
}

struct Read<'a> {
    logs: &'a TaskLogs,
    task: &'a TaskArn,
    window: Window,
}

impl Read<'_> {
    async fn of(&self, container: &str, wanted: bool) -> Result<Vec<Line>, Error> {
        if !wanted {
            return Ok(Vec::new());
        }
        Ok(self.logs.read(self.task, container, &self.window).await?)
    }
}

/// What else the sidecar may have said is no sample.
fn sample(line: &Line) -> Option<Sample> {
    let said: Value = serde_json::from_str(&line.text).ok()?;
    Some(Sample {
        at: line.at,
        cpu_seconds: said.get(contract::CPU_SECONDS)?.as_f64()?,
        memory_bytes: said.get(contract::MEMORY_BYTES)?.as_u64()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_contract_says_is_a_sample() {
        let line = |text: &str| Line { at: Timestamp::from_millis(5), text: text.to_owned() };
        let read = sample(&line(r#"{"cpu_seconds":1.25,"memory_bytes":4096}"#)).unwrap();
        assert_eq!((read.at.millis(), read.cpu_seconds, read.memory_bytes), (5, 1.25, 4096));
        for text in [
            "",
            "{}",
            "[]",
            "modbox-sidecar: no",
            r#"{"cpu_seconds":1}"#,
            r#"{"cpu_seconds":"1","memory_bytes":1}"#,
        ] {
            assert_eq!(sample(&line(text)), None, "{text}");
        }
    }
}
