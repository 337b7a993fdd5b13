//! StopTask, DescribeTasks, ListTasks.

use modbox_sandbox::contract;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    task::{Order, StopCode, Task},
    wire::{self, Moments},
    world::Shared,
};
use crate::aws_json::{Answer, AwsError};

/// The most tasks that one DescribeTasks names, and one page of ListTasks holds.
const PAGE: usize = 100;

#[derive(Debug, Deserialize)]
struct StopInput {
    cluster: Option<String>,
    #[serde(default)]
    task: String,
    reason: Option<String>,
}

/// Wishes a task to stop, in whatever state it is; in STOPPED, or wished before, nothing changes, but for what is left of
/// its grace where the reason says that it has none.
pub(super) fn stop(shared: &Shared, body: Value) -> Answer {
    let input: StopInput = wire::input(body)?;
    let cluster = shared.cluster(input.cluster.as_deref())?;
    let mut world = shared.world();
    let found = world.tasks.find(&cluster, &input.task).map(|(key, _)| key);
    let key = found.ok_or_else(|| wire::invalid("The referenced task was not found."))?;
    let reason = input.reason.unwrap_or_else(|| "Task stopped by user".to_owned());
    world.change(shared, key, |task, now| {
        if reason.starts_with(contract::NO_GRACE) {
            task.order(Order::StopByForce);
        }
        task.stop(StopCode::UserInitiated, &reason, now)
    });
    let task = world.tasks.get(key).map(|task| wire::task(task, Moments::Epoch));
    Ok(json!({ "task": task }))
}

#[derive(Debug, Deserialize)]
struct DescribeInput {
    cluster: Option<String>,
    #[serde(default)]
    tasks: Vec<String>,
    #[serde(default)]
    include: Vec<String>,
}

/// Describes tasks, in the order asked; those it does not know are failures, not errors.
pub(super) fn describe(shared: &Shared, body: Value) -> Answer {
    let input: DescribeInput = wire::input(body)?;
    let cluster = shared.cluster(input.cluster.as_deref())?;
    if input.tasks.is_empty() {
        return Err(wire::invalid("Tasks cannot be empty."));
    }
    if input.tasks.len() > PAGE {
        return Err(wire::invalid(format!("tasks can have at most {PAGE} items.")));
    }
    let with_tags = input.include.iter().any(|what| what == "TAGS");
    let world = shared.world();
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for reference in &input.tasks {
        match world.tasks.find(&cluster, reference) {
            Some((_, task)) => tasks.push(described(task, with_tags)),
            None => failures.push(json!({ "arn": full_arn(&cluster, reference), "reason": "MISSING" })),
        }
    }
    Ok(json!({ "tasks": tasks, "failures": failures }))
}

fn described(task: &Task, with_tags: bool) -> Value {
    let mut shape = wire::task(task, Moments::Epoch);
    if let (true, Some(shape)) = (with_tags, shape.as_object_mut()) {
        // Documented: StopTask deletes the tags.
        let tags = if task.stop.is_some() { json!([]) } else { task.request.tags.clone() };
        shape.insert("tags".to_owned(), tags);
    }
    shape
}

fn full_arn(cluster: &str, reference: &str) -> String {
    if reference.starts_with("arn:") { reference.to_owned() } else { wire::task_arn(cluster, reference) }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListInput {
    cluster: Option<String>,
    desired_status: Option<String>,
    started_by: Option<String>,
    family: Option<String>,
    launch_type: Option<String>,
    service_name: Option<String>,
    container_instance: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl ListInput {
    fn page(&self) -> Result<usize, AwsError> {
        match self.max_results.unwrap_or(PAGE) {
            size @ 1..=PAGE => Ok(size),
            _ => Err(wire::invalid(format!("maxResults must be between 1 and {PAGE}."))),
        }
    }

    fn after(&self) -> Result<u64, AwsError> {
        let token = self.next_token.as_deref().unwrap_or("0");
        token.parse().map_err(|_| wire::invalid("Invalid token."))
    }

    fn desired_status(&self) -> Result<&str, AwsError> {
        match self.desired_status.as_deref().unwrap_or("RUNNING") {
            status @ ("RUNNING" | "PENDING" | "STOPPED") => Ok(status),
            _ => Err(wire::invalid("desiredStatus must be RUNNING, PENDING or STOPPED.")),
        }
    }

    fn check_filters(&self) -> Result<(), AwsError> {
        let others = [&self.family, &self.launch_type, &self.service_name, &self.container_instance];
        if self.started_by.is_some() && others.iter().any(|other| other.is_some()) {
            return Err(wire::invalid("startedBy must be the only filter that is used."));
        }
        Ok(())
    }

    fn selects(&self, task: &Task) -> bool {
        let same = |filter: &Option<String>, value: Option<&str>| {
            filter.as_deref().is_none_or(|filter| Some(filter) == value)
        };
        same(&self.started_by, task.request.started_by.as_deref())
            && same(&self.family, Some(&task.definition.family))
            && same(&self.launch_type, Some(&task.request.launch_type))
            && same(&self.service_name, None)
            && same(&self.container_instance, None)
    }
}

/// Lists the ARNs of a cluster's tasks by the status wished of them, oldest first.
pub(super) fn list(shared: &Shared, body: Value) -> Answer {
    let input: ListInput = wire::input(body)?;
    let cluster = shared.cluster(input.cluster.as_deref())?;
    let (page, after) = (input.page()?, input.after()?);
    let status = input.desired_status()?;
    input.check_filters()?;
    let world = shared.world();
    let selected = |(_, task): &(u64, &Task)| {
        task.cluster == cluster && task.desired_status() == status && input.selects(task)
    };
    let mut found: Vec<(u64, String)> = world
        .tasks
        .after(after)
        .filter(selected)
        .take(page + 1)
        .map(|(key, task)| (key, task.arn()))
        .collect();
    let more = found.len() > page;
    found.truncate(page);
    let next_token = found.last().filter(|_| more).map(|(key, _)| key.to_string());
    let arns: Vec<String> = found.into_iter().map(|(_, arn)| arn).collect();
    let mut answer = json!({ "taskArns": arns });
    if let (Some(token), Some(answer)) = (next_token, answer.as_object_mut()) {
        answer.insert("nextToken".to_owned(), json!(token));
    }
    Ok(answer)
}
