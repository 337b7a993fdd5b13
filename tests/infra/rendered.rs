//! The stacks as CloudFormation would have them, with the names that they have on one machine.

use std::{collections::BTreeMap, path::PathBuf};

use modbox_local::{
    aws_json::{ACCOUNT, REGION},
    stack::{EVENT_BUS, LOG_GROUP, STACK, TABLE},
};
use serde_json::Value;

/// The cluster of `modbox-local`, and its dead-letter queue.
const CLUSTER: &str = "modbox";
const DEAD_LETTERS: &str = "modbox-dead-letters";

/// One of the stacks, with its parameters.
pub(super) struct Stack {
    template: Value,
    /// The stack that it imports from.
    imports: Option<Box<Stack>>,
    given: BTreeMap<String, String>,
}

/// What `infra/check` has rendered.
fn rendered(name: &str) -> Value {
    let file: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "infra", "rendered.json"].iter().collect();
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut stacks: Value = serde_json::from_str(&text).unwrap();
    stacks[name].take()
}

impl Stack {
    /// The application, with nothing but what it takes by itself.
    pub(super) fn application() -> Self {
        Self::given(&[])
    }

    /// The application, deployed with these parameters.
    pub(super) fn given(parameters: &[(&str, &str)]) -> Self {
        let imports = Some(Box::new(Self::named("state")));
        let given =
            parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { imports, given, ..Self::named("template") }
    }

    pub(super) fn named(name: &str) -> Self {
        Self { template: rendered(name), imports: None, given: BTreeMap::new() }
    }

    pub(super) fn template(&self) -> &Value {
        &self.template
    }

    /// The properties of a resource, as they are written.
    #[track_caller]
    pub(super) fn properties(&self, resource: &str) -> &Value {
        let properties = &self.template["Resources"][resource]["Properties"];
        assert!(properties.is_object(), "there is no {resource}");
        properties
    }

    /// Every resource of that type, by name.
    pub(super) fn resources(&self, kind: &str) -> impl Iterator<Item = (&String, &Value)> {
        let all = self.template["Resources"].as_object().into_iter().flatten();
        all.filter(move |(_, resource)| resource["Type"] == kind)
    }

    /// The value of a parameter.
    #[track_caller]
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let default = &self.template["Parameters"].get(name)?["Default"];
        let default = default.as_str().map_or_else(|| default.to_string(), ToOwned::to_owned);
        Some(self.given.get(name).cloned().unwrap_or(default))
    }

    /// Whether a condition holds: one of the template's by its name, or one that is written out.
    pub(super) fn holds(&self, condition: &Value) -> bool {
        if let Some(name) = condition.as_str() {
            return self.holds(&self.template["Conditions"][name]);
        }
        let (function, arguments) = call(condition);
        match function {
            "Fn::Equals" => self.text(&arguments[0]) == self.text(&arguments[1]),
            "Fn::Not" => !self.holds(&arguments[0]),
            "Fn::And" => list(arguments).all(|each| self.holds(each)),
            "Fn::Or" => list(arguments).any(|each| self.holds(each)),
            "Condition" => self.holds(arguments),
            other => panic!("{other} is no condition"),
        }
    }

    /// The text that CloudFormation makes of a value.
    #[track_caller]
    pub(super) fn text(&self, value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Object(_) => self.called(value),
            _ => panic!("{value} is no text"),
        }
    }

    fn called(&self, value: &Value) -> String {
        let (function, arguments) = call(value);
        match function {
            "Ref" => self.reference(arguments.as_str().unwrap_or_default()),
            "Fn::GetAtt" => self.attribute(arguments),
            "Fn::Sub" => self.substituted(arguments),
            "Fn::If" => self.text(&arguments[if self.holds(&arguments[0]) { 1 } else { 2 }]),
            "Fn::ImportValue" => self.imported(&self.text(arguments)),
            other => panic!("{other} is not known here"),
        }
    }

    fn reference(&self, name: &str) -> String {
        match name {
            "AWS::StackName" if self.imports.is_some() => STACK.to_owned(),
            "AWS::StackName" => "modbox-state".to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            name => self.parameter(name).unwrap_or_else(|| self.physical(name)),
        }
    }

    /// What a resource is called: as on one machine where there is such a one.
    fn physical(&self, resource: &str) -> String {
        assert!(self.template["Resources"][resource].is_object(), "there is no {resource}");
        match resource {
            "Table" => TABLE.to_owned(),
            "Bus" => EVENT_BUS.to_owned(),
            "Cluster" => CLUSTER.to_owned(),
            "SandboxLog" => LOG_GROUP.to_owned(),
            "DeadLetters" => format!("http://localhost/{ACCOUNT}/{DEAD_LETTERS}"),
            other => other.to_owned(),
        }
    }

    fn attribute(&self, arguments: &Value) -> String {
        let (resource, attribute) = (self.text(&arguments[0]), self.text(&arguments[1]));
        let kind = self.template["Resources"][&resource]["Type"].as_str().unwrap_or_default();
        let name = self.physical(&resource);
        let arn = |service: &str, rest: String| format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}");
        match (kind, attribute.as_str()) {
            ("AWS::DynamoDB::Table", "Arn") => arn("dynamodb", format!("table/{name}")),
            ("AWS::DynamoDB::Table", "StreamArn") => arn("dynamodb", format!("table/{name}/stream/1")),
            ("AWS::Logs::LogGroup", "Arn") => arn("logs", format!("log-group:{name}:*")),
            ("AWS::Events::EventBus", "Arn") => arn("events", format!("event-bus/{name}")),
            ("AWS::ECS::Cluster", "Arn") => arn("ecs", format!("cluster/{name}")),
            ("AWS::SQS::Queue", "Arn") => arn("sqs", name.rsplit('/').next().unwrap_or_default().to_owned()),
            ("AWS::IAM::Role", "Arn") => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            (_, attribute) => format!("{resource}.{attribute}"),
        }
    }

    fn substituted(&self, arguments: &Value) -> String {
        let (text, names) = match arguments {
            Value::Array(both) => (self.text(&both[0]), both[1].as_object().cloned().unwrap_or_default()),
            text => (self.text(text), serde_json::Map::new()),
        };
        let mut parts = text.split("${");
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (name, rest) = part.split_once('}').unwrap_or_else(|| panic!("{text}: a name does not end"));
            whole += &names.get(name).map_or_else(|| self.reference(name), |value| self.text(value));
            whole += rest;
        }
        whole
    }

    fn imported(&self, name: &str) -> String {
        let from = self.imports.as_ref().expect("only the application imports");
        let outputs = from.template["Outputs"].as_object().into_iter().flatten();
        let mut exported = outputs.filter(|(_, output)| output["Export"]["Name"].is_object());
        let output = exported.find(|(_, output)| from.text(&output["Export"]["Name"]) == name);
        from.text(&output.unwrap_or_else(|| panic!("the state stack exports no {name}")).1["Value"])
    }
}

/// The function of a value that is one, and what it is given.
fn call(value: &Value) -> (&str, &Value) {
    let members = value.as_object().filter(|members| members.len() == 1);
    let only = members.and_then(|members| members.iter().next());
    let (name, arguments) = only.unwrap_or_else(|| panic!("{value} is no function"));
    (name, arguments)
}

/// The elements of a list, or the one thing that stands for it.
pub(super) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    let elements = value.as_array().map(Vec::as_slice);
    elements.unwrap_or(std::slice::from_ref(value)).iter()
}
