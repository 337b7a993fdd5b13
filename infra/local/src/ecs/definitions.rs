//! Task definitions: numbered revisions of a family, never changed, only made inactive.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wire;
use crate::aws_json::AwsError;

/// What ECS gives a container that names no `stopTimeout`.
const DEFAULT_STOP_TIMEOUT_SECS: u64 = 30;
/// What Fargate accepts as `stopTimeout`.
const STOP_TIMEOUT_SECS: std::ops::RangeInclusive<u64> = 2..=120;

#[derive(Clone)]
pub(super) struct Definition {
    pub(super) arn: String,
    pub(super) family: String,
    pub(super) active: bool,
    pub(super) containers: Vec<ContainerDefinition>,
    pub(super) cpu: Option<String>,
    pub(super) memory: Option<String>,
    pub(super) network_mode: Option<String>,
    pub(super) tags: Value,
    /// The registration as given, and what ECS adds to it.
    pub(super) document: Map<String, Value>,
}

impl Definition {
    /// Reads one that was registered from its document.
    pub(super) fn read(
        document: Map<String, Value>,
        tags: Value,
        active: bool,
    ) -> Result<Self, serde_json::Error> {
        let containers = document.get("containerDefinitions").cloned().unwrap_or_else(|| json!([]));
        let containers = serde_json::from_value(containers)?;
        Ok(Self { active, ..Self::registered(document, containers, tags) })
    }

    /// One that is active, from its document and the containers in it.
    fn registered(document: Map<String, Value>, containers: Vec<ContainerDefinition>, tags: Value) -> Self {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        Self {
            arn: text("taskDefinitionArn").unwrap_or_default(),
            family: text("family").unwrap_or_default(),
            active: true,
            containers,
            cpu: text("cpu"),
            memory: text("memory"),
            network_mode: text("networkMode"),
            tags,
            document,
        }
    }

    /// The `taskDefinition` of an answer.
    pub(super) fn document(&self) -> Value {
        let mut document = self.document.clone();
        let status = if self.active { "ACTIVE" } else { "INACTIVE" };
        document.insert("status".to_owned(), json!(status));
        Value::Object(document)
    }
}

/// The part of a container definition that is acted upon; what else is registered is only given back.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerDefinition {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) image: String,
    pub(super) essential: Option<bool>,
    pub(super) entry_point: Option<Vec<String>>,
    pub(super) command: Option<Vec<String>>,
    pub(super) environment: Option<Vec<KeyValue>>,
    stop_timeout: Option<u64>,
}

#[derive(Clone, Deserialize)]
pub(super) struct KeyValue {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: String,
}

impl ContainerDefinition {
    pub(super) fn essential(&self) -> bool {
        self.essential.unwrap_or(true)
    }

    pub(super) fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout.unwrap_or(DEFAULT_STOP_TIMEOUT_SECS))
    }
}

/// A registration that passed the checks.
pub(super) struct Registration {
    family: String,
    containers: Vec<ContainerDefinition>,
    tags: Value,
    document: Map<String, Value>,
}

impl Registration {
    pub(super) fn parse(body: Value) -> Result<Self, AwsError> {
        let Value::Object(mut document) = body else {
            return Err(wire::malformed("the request is not an object"));
        };
        let family = document.get("family").and_then(Value::as_str).unwrap_or_default();
        let family = check_family(family)?.to_owned();
        let tags = document.remove("tags").unwrap_or_else(|| json!([]));
        let containers = document.get("containerDefinitions").cloned().unwrap_or_else(|| json!([]));
        let containers: Vec<ContainerDefinition> =
            serde_json::from_value(containers).map_err(|error| wire::malformed(&error.to_string()))?;
        check_containers(&containers)?;
        if let Some(Value::Array(definitions)) = document.get_mut("containerDefinitions") {
            definitions.iter_mut().for_each(fill_defaults);
        }
        Ok(Self { family, containers, tags, document })
    }
}

fn check_family(family: &str) -> Result<&str, AwsError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match family.len() {
        0 => Err(refused("Family should not be null or empty.")),
        1..=255 if family.bytes().all(legal) => Ok(family),
        _ => Err(refused("Invalid family: up to 255 letters, numbers, hyphens and underscores are allowed.")),
    }
}

fn check_containers(containers: &[ContainerDefinition]) -> Result<(), AwsError> {
    if containers.is_empty() {
        return Err(refused("Container list cannot be empty."));
    }
    if containers.len() > 10 {
        return Err(refused("A task definition has at most 10 containers."));
    }
    for (index, container) in containers.iter().enumerate() {
        if container.name.is_empty() {
            return Err(refused("Container.name should not be null or empty."));
        }
        if container.image.is_empty() {
            return Err(refused("Container.image should not be null or empty."));
        }
        if containers.iter().skip(index + 1).any(|other| other.name == container.name) {
            return Err(refused("Container.name should be unique within a task definition."));
        }
        if container.stop_timeout.is_some_and(|secs| !STOP_TIMEOUT_SECS.contains(&secs)) {
            return Err(refused("Container.stopTimeout must be between 2 and 120 seconds."));
        }
    }
    if !containers.iter().any(ContainerDefinition::essential) {
        return Err(refused("A task definition needs at least one essential container."));
    }
    Ok(())
}

/// Adds what ECS shows of a container definition that does not name it.
fn fill_defaults(definition: &mut Value) {
    let Some(definition) = definition.as_object_mut() else {
        return;
    };
    definition.retain(|_, value| !value.is_null());
    definition.entry("essential").or_insert(json!(true));
    definition.entry("cpu").or_insert(json!(0));
    for list in ["environment", "mountPoints", "portMappings", "volumesFrom"] {
        definition.entry(list).or_insert(json!([]));
    }
}

fn refused(message: &str) -> AwsError {
    AwsError::client("ClientException", message)
}

/// Every revision of every family.
#[derive(Default)]
pub(super) struct Definitions(BTreeMap<String, Vec<Arc<Definition>>>);

impl Definitions {
    /// The next revision of a family, also when it equals the one before. It is one once it is [put](Self::put).
    pub(super) fn next(&self, registration: Registration, registered_at: Value) -> Definition {
        let Registration { family, containers, tags, mut document } = registration;
        let revision = self.0.get(&family).map_or(0, Vec::len) + 1;
        document.retain(|_, value| !value.is_null());
        document.insert("taskDefinitionArn".to_owned(), json!(wire::definition_arn(&family, revision)));
        document.insert("revision".to_owned(), json!(revision));
        document.insert("registeredAt".to_owned(), registered_at);
        document.insert("registeredBy".to_owned(), json!(wire::CALLER_ARN));
        document.insert("compatibilities".to_owned(), json!(["EC2", "FARGATE"]));
        for list in ["volumes", "placementConstraints"] {
            document.entry(list).or_insert(json!([]));
        }
        Definition::registered(document, containers, tags)
    }

    /// One revision made inactive: no task starts from it any more; it stays describable. It is so once it is
    /// [put](Self::put).
    pub(super) fn inactive(&self, reference: &str) -> Option<Definition> {
        let (family, revision) = split(reference)?;
        let known = self.0.get(family)?.get(revision?.checked_sub(1)?)?;
        Some(Definition { active: false, ..Definition::clone(known) })
    }

    /// Adds a family's next revision, or puts one in the place of the one with its ARN.
    pub(super) fn put(&mut self, definition: Definition) -> Arc<Definition> {
        let definition = Arc::new(definition);
        let revisions = self.0.entry(definition.family.clone()).or_default();
        match revisions.iter_mut().find(|known| known.arn == definition.arn) {
            Some(known) => *known = Arc::clone(&definition),
            None => revisions.push(Arc::clone(&definition)),
        }
        definition
    }

    /// Finds `family`, meaning its newest active revision, `family:revision`, or an ARN.
    pub(super) fn find(&self, reference: &str) -> Option<Arc<Definition>> {
        let (family, revision) = split(reference)?;
        let revisions = self.0.get(family)?;
        match revision {
            Some(revision) => revisions.get(revision.checked_sub(1)?).cloned(),
            None => revisions.iter().rev().find(|definition| definition.active).cloned(),
        }
    }
}

/// Takes a reference apart into family and revision.
fn split(reference: &str) -> Option<(&str, Option<usize>)> {
    let name = match reference.strip_prefix("arn:") {
        Some(_) => reference.strip_prefix(wire::DEFINITION_ARN_PREFIX)?,
        None => reference,
    };
    match name.split_once(':') {
        Some((family, revision)) => Some((family, Some(revision.parse().ok()?))),
        None => Some((name, None)),
    }
}
