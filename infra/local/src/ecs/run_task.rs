//! RunTask.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard},
};

use modbox_sandbox::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    definitions::{ContainerDefinition, Definition, KeyValue},
    engine::{Container, Launch},
    events, lifecycle,
    task::{ContainerState, ContainerStatus, Order, Request, Status, Task, Times},
    tokens::{self, Met, Use},
    wire::{self, Moments},
    world::{Shared, World},
};
use crate::aws_json::{Answer, AwsError};

/// The most characters that overrides may have, JSON syntax included.
const MAX_OVERRIDES: usize = 8192;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    cluster: Option<String>,
    #[serde(default)]
    task_definition: String,
    count: Option<u32>,
    client_token: Option<String>,
    overrides: Option<Value>,
    started_by: Option<String>,
    group: Option<String>,
    launch_type: Option<String>,
    network_configuration: Option<Value>,
    tags: Option<Value>,
    #[serde(default)]
    enable_execute_command: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Overrides {
    #[serde(default)]
    container_overrides: Vec<ContainerOverride>,
    cpu: Option<String>,
    memory: Option<String>,
}

#[derive(Deserialize)]
struct ContainerOverride {
    #[serde(default)]
    name: String,
    command: Option<Vec<String>>,
    environment: Option<Vec<KeyValue>>,
}

/// Starts `count` tasks, or gives the current state of those that the same call started before.
///
/// Token, rate and tasks are settled under one lock: of two calls with one token at the same instant, one launches.
pub(super) fn run(shared: &Arc<Shared>, body: Value) -> Answer {
    let parameters = tokens::fingerprint(&body);
    let input: Input = wire::input(body)?;
    let cluster = shared.cluster(input.cluster.as_deref())?;
    let count = check(&input)?;
    let overrides = overrides(&input)?;
    let token = input.client_token.clone();

    let mut world = shared.world();
    let now = shared.clock.now();
    let token = token.map(|token| Use::new((cluster.clone(), token), parameters, now));
    if let Some(tasks) = replay(&world, token.as_ref(), now)? {
        return Ok(answer(&world, &tasks));
    }
    if world.closed {
        return Err(wire::unavailable("The machine is shutting down: no task starts any more."));
    }
    let definition = startable(&world, &input.task_definition)?;
    fits(&definition, &input, &overrides)?;
    if !world.launches.take(count, now) {
        return Err(AwsError::client("ThrottlingException", "Rate exceeded."));
    }
    let order = TaskOrder {
        cluster,
        request: request(&input, &overrides, &definition),
        containers: containers(&definition, &overrides),
        definition,
        token,
    };
    let tasks = (0..count).map(|_| task(shared, &order, now)).collect();
    let keys = world.add(shared, tasks, now)?;
    for key in &keys {
        start(shared, &world, *key, &order);
    }
    Ok(answer(&world, &keys))
}

/// What all tasks of one call have in common.
struct TaskOrder {
    cluster: String,
    definition: Arc<Definition>,
    request: Request,
    containers: Vec<Container>,
    token: Option<Use>,
}

fn check(input: &Input) -> Result<u32, AwsError> {
    if input.task_definition.is_empty() {
        return Err(wire::invalid("Task definition can not be blank."));
    }
    if let Some(token) = &input.client_token {
        tokens::check(token)?;
    }
    let started_by = input.started_by.as_deref().unwrap_or_default();
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/');
    if started_by.len() > 128 || !started_by.bytes().all(legal) {
        return Err(wire::invalid(
            "startedBy: up to 128 letters, numbers, hyphens, forward slashes and underscores are allowed.",
        ));
    }
    match input.count.unwrap_or(1) {
        count @ 1..=10 => Ok(count),
        _ => Err(wire::invalid("count must be between 1 and 10.")),
    }
}

fn overrides(input: &Input) -> Result<Overrides, AwsError> {
    let Some(overrides) = &input.overrides else {
        return Ok(Overrides::default());
    };
    if overrides.to_string().chars().count() > MAX_OVERRIDES {
        return Err(wire::invalid(format!("Container Overrides length must be at most {MAX_OVERRIDES}")));
    }
    serde_json::from_value(overrides.clone()).map_err(|error| wire::malformed(&error.to_string()))
}

fn replay(
    world: &MutexGuard<'_, World>,
    token: Option<&Use>,
    now: Timestamp,
) -> Result<Option<Vec<u64>>, AwsError> {
    match token.map_or(Met::New, |token| world.tokens.meet(token, now)) {
        Met::New => Ok(None),
        Met::Replay(tasks) => Ok(Some(tasks)),
        Met::Conflict(tasks) => {
            let arns: Vec<String> =
                tasks.iter().filter_map(|key| world.tasks.get(*key)).map(Task::arn).collect();
            let message = "The client token was used with other parameters.";
            let mut error = AwsError::client("ConflictException", message);
            error.members.insert("resourceIds".to_owned(), json!(arns));
            Err(error)
        }
    }
}

fn startable(world: &World, reference: &str) -> Result<Arc<Definition>, AwsError> {
    let refused = |message: &str| AwsError::client("ClientException", message);
    let definition = world.definitions.find(reference);
    let definition = definition.ok_or_else(|| refused("TaskDefinition not found."))?;
    if definition.active { Ok(definition) } else { Err(refused("TaskDefinition is inactive")) }
}

fn fits(definition: &Definition, input: &Input, overrides: &Overrides) -> Result<(), AwsError> {
    if definition.network_mode.as_deref() == Some("awsvpc") && input.network_configuration.is_none() {
        return Err(wire::invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        ));
    }
    for each in &overrides.container_overrides {
        if !definition.containers.iter().any(|container| container.name == each.name) {
            return Err(wire::invalid(format!(
                "Override for container named {} is not a container in the TaskDefinition.",
                each.name
            )));
        }
    }
    Ok(())
}

fn request(input: &Input, overrides: &Overrides, definition: &Definition) -> Request {
    let default_group = || format!("family:{}", definition.family);
    let mut shown = input.overrides.clone().unwrap_or_else(|| json!({}));
    if let Some(shown) = shown.as_object_mut() {
        shown.entry("containerOverrides").or_insert(json!([]));
        shown.entry("inferenceAcceleratorOverrides").or_insert(json!([]));
    }
    Request {
        overrides: shown.into(),
        started_by: input.started_by.clone(),
        group: input.group.clone().unwrap_or_else(default_group),
        launch_type: input.launch_type.clone().unwrap_or_else(|| "FARGATE".to_owned()),
        cpu: overrides.cpu.clone().or_else(|| definition.cpu.clone()),
        memory: overrides.memory.clone().or_else(|| definition.memory.clone()),
        tags: input.tags.clone().unwrap_or_else(|| json!([])),
        enable_execute_command: input.enable_execute_command,
    }
}

fn containers(definition: &Definition, overrides: &Overrides) -> Vec<Container> {
    let overridden = |definition: &ContainerDefinition| {
        let own = overrides.container_overrides.iter().filter(|each| each.name == definition.name);
        container(definition, &own.collect::<Vec<_>>())
    };
    definition.containers.iter().map(overridden).collect()
}

fn container(definition: &ContainerDefinition, overrides: &[&ContainerOverride]) -> Container {
    let overriding = overrides.iter().filter_map(|each| each.environment.as_ref());
    let environment: BTreeMap<String, String> = definition
        .environment
        .iter()
        .chain(overriding)
        .flatten()
        .map(|pair| (pair.name.clone(), pair.value.clone()))
        .collect();
    let command = overrides.iter().rev().find_map(|each| each.command.clone());
    Container {
        name: definition.name.clone(),
        image: definition.image.clone(),
        entry_point: definition.entry_point.clone().unwrap_or_default(),
        command: command.or_else(|| definition.command.clone()).unwrap_or_default(),
        environment,
        essential: definition.essential(),
        stop_timeout: definition.stop_timeout(),
    }
}

/// The launch of a task that an earlier run launched, but for the values of the environment.
pub(super) fn as_it_was(task: &Task) -> Launch {
    let overrides = serde_json::from_value(task.request.overrides.value()).unwrap_or_default();
    Launch {
        task_arn: task.arn(),
        group: task.request.group.clone(),
        containers: containers(&task.definition, &overrides),
        cpu: task.request.cpu.clone(),
        memory: task.request.memory.clone(),
    }
}

/// A task that is new.
fn task(shared: &Shared, order: &TaskOrder, now: Timestamp) -> Task {
    let state = |container: &Container| ContainerState {
        id: events::uuid(shared.ids.random()),
        name: container.name.clone(),
        image: container.image.clone(),
        essential: container.essential,
        status: ContainerStatus::Pending,
        exit_code: None,
        reason: None,
    };
    Task {
        id: format!("{:032x}", shared.ids.random()),
        cluster: order.cluster.clone(),
        definition: Arc::clone(&order.definition),
        request: order.request.clone(),
        token: order.token.clone(),
        attachment_id: events::uuid(shared.ids.random()),
        version: 1,
        status: Status::Provisioning,
        stop: None,
        address: None,
        times: Times { created_at: Some(now), ..Times::default() },
        containers: order.containers.iter().map(state).collect(),
        orders: watch::Sender::new(Order::Run),
    }
}

/// Starts the actor of a task that was added.
fn start(shared: &Arc<Shared>, world: &World, key: u64, order: &TaskOrder) {
    let Some(task) = world.tasks.get(key) else {
        return;
    };
    let launch = Launch {
        task_arn: task.arn(),
        group: order.request.group.clone(),
        containers: order.containers.clone(),
        cpu: order.request.cpu.clone(),
        memory: order.request.memory.clone(),
    };
    tokio::spawn(lifecycle::run(Arc::clone(shared), key, launch, task.orders.subscribe()));
}

fn answer(world: &World, keys: &[u64]) -> Value {
    let tasks = keys.iter().filter_map(|key| world.tasks.get(*key));
    let tasks: Vec<Value> = tasks.map(|task| wire::task(task, Moments::Epoch)).collect();
    json!({ "tasks": tasks, "failures": [] })
}
