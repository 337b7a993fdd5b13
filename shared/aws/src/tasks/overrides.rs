//! What a sandbox's task is told that other tasks of its definition are not.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{ContainerOverride, KeyValuePair, TaskOverride};
use modbox_sandbox::{Sandbox, contract};
use serde_json::json;

/// ECS refuses overrides of more characters, their JSON syntax included (API reference, RunTask).
pub const MAX_OVERRIDES_CHARS: usize = 8192;

/// The secrets that a task is given.
#[derive(Clone)]
pub struct TaskEnvironment<'a> {
    /// The caller's own variables.
    pub caller: &'a BTreeMap<String, String>,
    pub access_token: &'a str,
    pub task_token: &'a str,
}

/// Overrides of one task.
#[derive(Clone)]
pub struct Overrides {
    containers: Vec<(&'static str, BTreeMap<String, String>)>,
    cpu: &'static str,
    memory: &'static str,
}

impl std::fmt::Debug for TaskEnvironment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskEnvironment").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Overrides {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overrides")
            .field("cpu", &self.cpu)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl Overrides {
    pub fn new(sandbox: &Sandbox, environment: &TaskEnvironment<'_>) -> Self {
        let own = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let id = sandbox.id.to_string();
        let sidecar = own(&[
            (contract::SANDBOX_ID, &id),
            (contract::API_URL, &sandbox.spec.api_url),
            (contract::TASK_TOKEN, environment.task_token),
        ]);

        let mut main = own(&[(contract::SANDBOX_API_KEY, environment.access_token)]);
        main.extend(environment.caller.clone());
        main.extend(own(&[
            (contract::SANDBOX_ID, &id),
            (contract::SANDBOX_URL, &sandbox.spec.url),
            (contract::ACCESS_TOKEN, environment.access_token),
        ]));
        let mut deadline = sidecar.clone();
        if let Some(at) = sandbox.expires_at {
            deadline.insert(contract::EXPIRES_AT_MS.to_owned(), at.millis().to_string());
        }
        let mut containers = vec![(contract::MAIN, main), (contract::DEADLINE, deadline)];
        if let Some(port) = sandbox.spec.readiness_port {
            let mut ready = sidecar;
            ready.insert(contract::READINESS_PORT.to_owned(), port.to_string());
            containers.push((contract::READY, ready));
        }
        let (cpu, memory) = fargate_size(sandbox.spec.memory_mb);
        Self { containers, cpu, memory }
    }

    /// How many characters ECS counts.
    pub fn chars(&self) -> usize {
        let containers: Vec<_> = self
            .containers
            .iter()
            .map(|(name, env)| {
                let env: Vec<_> =
                    env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
                json!({"name": name, "environment": env})
            })
            .collect();
        json!({"containerOverrides": containers, "cpu": self.cpu, "memory": self.memory})
            .to_string()
            .chars()
            .count()
    }

    pub(super) fn to_sdk(&self) -> TaskOverride {
        let pair =
            |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
        let containers = self
            .containers
            .iter()
            .map(|(name, env)| {
                ContainerOverride::builder()
                    .name(*name)
                    .set_environment(Some(env.iter().map(pair).collect()))
                    .build()
            })
            .collect();
        TaskOverride::builder()
            .set_container_overrides(Some(containers))
            .cpu(self.cpu)
            .memory(self.memory)
            .build()
    }
}

/// The smallest Fargate size that has that much memory (task size table of the ECS developer guide).
fn fargate_size(memory_mb: u32) -> (&'static str, &'static str) {
    match memory_mb {
        0..=512 => ("256", "512"),
        513..=1024 => ("256", "1024"),
        1025..=2048 => ("512", "2048"),
        2049..=3072 => ("512", "3072"),
        3073..=4096 => ("512", "4096"),
        4097..=5120 => ("1024", "5120"),
        5121..=6144 => ("1024", "6144"),
        6145..=7168 => ("1024", "7168"),
        _ => ("1024", "8192"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Fargate takes: a CPU size with the memory that may go with it (task size table of the ECS developer guide).
    fn is_fargate_size(cpu: u32, memory: u32) -> bool {
        match cpu {
            256 => [512, 1024, 2048].contains(&memory),
            512 => (1024..=4096).contains(&memory) && memory.is_multiple_of(1024),
            1024 => (2048..=8192).contains(&memory) && memory.is_multiple_of(1024),
            _ => false,
        }
    }

    #[test]
    fn every_memory_has_a_size_that_fargate_takes_and_that_holds_it() {
        for memory_mb in 1..=8192 {
            let (cpu, memory) = fargate_size(memory_mb);
            let (cpu, memory) = (cpu.parse().unwrap(), memory.parse().unwrap());
            assert!(is_fargate_size(cpu, memory), "{cpu} {memory}");
            assert!(memory >= memory_mb && memory < memory_mb + 1024, "{memory_mb}: {memory}");
        }
    }
}
