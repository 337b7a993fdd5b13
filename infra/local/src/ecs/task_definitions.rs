//! RegisterTaskDefinition, DescribeTaskDefinition, DeregisterTaskDefinition.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    definitions::{Definition, Registration},
    wire::{self, Moments},
    world::Shared,
};
use crate::aws_json::{Answer, AwsError};

/// Registers a new revision, also when it equals the one before: nothing here is idempotent, as in ECS.
pub(super) fn register(shared: &Shared, body: Value) -> Answer {
    let registration = Registration::parse(body)?;
    let registered_at = Moments::Epoch.write(shared.clock.now());
    let mut world = shared.world();
    let definition = world.definitions.next(registration, registered_at);
    let definition = world.define(definition)?;
    Ok(json!({ "taskDefinition": definition.document(), "tags": definition.tags }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default)]
    task_definition: String,
    #[serde(default)]
    include: Vec<String>,
}

pub(super) fn describe(shared: &Shared, body: Value) -> Answer {
    let input: Named = wire::input(body)?;
    let definition = shared.world().definitions.find(&input.task_definition);
    let definition = definition.ok_or_else(|| refused("Unable to describe task definition."))?;
    Ok(described(&definition, input.include.iter().any(|what| what == "TAGS")))
}

/// Makes a revision inactive; again changes nothing.
pub(super) fn deregister(shared: &Shared, body: Value) -> Answer {
    let input: Named = wire::input(body)?;
    let mut world = shared.world();
    let definition = world.definitions.inactive(&input.task_definition);
    let definition = definition.ok_or_else(|| refused("The specified task definition does not exist."))?;
    Ok(described(&*world.define(definition)?, false))
}

fn described(definition: &Definition, with_tags: bool) -> Value {
    let mut answer = json!({ "taskDefinition": definition.document() });
    if let (true, Some(answer)) = (with_tags, answer.as_object_mut()) {
        answer.insert("tags".to_owned(), definition.tags.clone());
    }
    answer
}

fn refused(message: &str) -> AwsError {
    AwsError::client("ClientException", message)
}
