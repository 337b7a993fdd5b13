//! What a task has used so far, as lines of JSON for whoever reads the log of `deadline` (see `contract`).

use std::io::Write;
use std::thread;
use std::time::Duration;

use modbox_sandbox::contract::{CPU_SECONDS, MEMORY_BYTES};
use modbox_tree::{Pid, Usage, usage_beside};
use rustix::process::getpid;
use serde_json::{Value, json};
use ureq::Agent;

use crate::api::agent;

/// Before the first sample: by then there is something to measure.
pub(crate) const FIRST: Duration = Duration::from_secs(1);
/// Between two samples.
pub(crate) const EVERY: Duration = Duration::from_secs(10);
/// The longest that one question to the metadata endpoint takes.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Docker's statistics of a container are a few kilobytes.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// Sees to it that the CPU time never falls, also when what had used it is not counted any more.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    most: Duration,
}

impl Meter {
    pub(crate) fn line(&mut self, usage: Usage) -> String {
        self.most = self.most.max(usage.cpu);
        json!({CPU_SECONDS: self.most.as_secs_f64(), MEMORY_BYTES: usage.memory_bytes}).to_string()
    }
}

/// What knows the usage of a task.
#[derive(Debug)]
pub(crate) enum Source {
    /// The `task/stats` of the task metadata endpoint.
    Endpoint { agent: Agent, stats: String },
    /// `/proc`, where the task's processes are in the namespace that begins with this one.
    Namespace(Pid),
}

impl Source {
    /// The endpoint where ECS has one. A process that is not the first of its namespace cannot tell the task's processes
    /// from those of others.
    pub(crate) fn of(metadata: Option<String>) -> Option<Self> {
        let Some(metadata) = metadata else {
            let own = getpid();
            return own.is_init().then_some(Self::Namespace(own));
        };
        let stats = format!("{}/task/stats", metadata.trim_end_matches('/'));
        Some(Self::Endpoint { agent: agent(TIMEOUT), stats })
    }

    fn usage(&self) -> Option<Usage> {
        match self {
            Self::Endpoint { agent, stats } => usage_at(agent, stats),
            Self::Namespace(own) => usage_beside(*own),
        }
    }
}

/// Prints a line after a second and then every ten seconds, with what the source says. A thread of its own does it:
/// nothing waits for an endpoint, nor for whoever reads the lines. A sample that fails is left out, and so are all of
/// them where there is no thread to be had.
pub(crate) fn print_usage(source: Source) {
    let work = move || {
        let mut meter = Meter::default();
        thread::sleep(FIRST);
        loop {
            if let Some(usage) = source.usage() {
                let _ = writeln!(std::io::stdout(), "{}", meter.line(usage));
            }
            thread::sleep(EVERY);
        }
    };
    drop(thread::Builder::new().name("usage".to_owned()).spawn(work));
}

fn usage_at(agent: &Agent, stats: &str) -> Option<Usage> {
    let mut answer = agent.get(stats).call().ok().filter(|answer| answer.status().is_success())?;
    let body = answer.body_mut().with_config().limit(ANSWER_LIMIT).read_to_vec().ok()?;
    usage_in(&serde_json::from_slice(&body).ok()?)
}

/// The sum over the task's containers: Docker's statistics by container, null for one that does not run (ECS developer
/// guide, task metadata endpoint version 4). None: there is nothing to go by.
fn usage_in(stats: &Value) -> Option<Usage> {
    let of_one = |stats: &Value| {
        let cpu = stats.pointer("/cpu_stats/cpu_usage/total_usage")?.as_u64()?;
        let memory_bytes = stats.pointer("/memory_stats/usage")?.as_u64()?;
        Some(Usage { cpu: Duration::from_nanos(cpu), memory_bytes })
    };
    let each = stats.as_object()?.values().filter_map(of_one);
    each.reduce(|sum, one| Usage {
        cpu: sum.cpu + one.cpu,
        memory_bytes: sum.memory_bytes.saturating_add(one.memory_bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_the_cpu_time_in_it_never_falls() {
        let usage = |millis, memory_bytes| Usage { cpu: Duration::from_millis(millis), memory_bytes };
        let mut meter = Meter::default();
        assert_eq!(meter.line(usage(1_250, 4_096)), r#"{"cpu_seconds":1.25,"memory_bytes":4096}"#);
        assert_eq!(meter.line(usage(1_000, 1)), r#"{"cpu_seconds":1.25,"memory_bytes":1}"#);
    }

    #[test]
    fn containers_are_summed_and_those_that_do_not_run_left_out() {
        let one = |nanos: u64, bytes: u64| json!({"cpu_stats": {"cpu_usage": {"total_usage": nanos}}, "memory_stats": {"usage": bytes}});
        let stats =
            json!({"a": one(1_500_000_000, 10), "b": null, "c": one(500_000_000, 5), "d": {"cpu_stats": {}}});
        let sum = Usage { cpu: Duration::from_secs(2), memory_bytes: 15 };
        assert_eq!(usage_in(&stats), Some(sum));
    }

    #[test]
    fn nothing_to_go_by_is_no_sample() {
        for stats in
            [json!({}), json!({"a": null}), json!([]), json!(null), json!({"a": {"memory_stats": {}}})]
        {
            assert_eq!(usage_in(&stats), None, "{stats}");
        }
    }
}
