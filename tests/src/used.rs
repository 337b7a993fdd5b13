//! What IAM would be asked for by each call of AWS: who must be granted which action on what.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use modbox_local::{
    aws_json::{ACCOUNT, REGION},
    cloud::Call,
};
use serde_json::Value;

/// A permission that a call needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// The function that called.
    pub caller: String,
    /// As a policy names it, such as `dynamodb:GetItem`.
    pub action: String,
    /// The ARN of what is touched; `*` where IAM knows nothing narrower.
    pub resource: String,
    /// The ARN of the cluster, where ECS offers it as a condition.
    pub cluster: Option<String>,
}

/// The permissions that were needed so far. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Used(Arc<Mutex<BTreeSet<Use>>>);

impl Used {
    /// Notes a call. One whose permission is not known here fails the test: it is to be added.
    pub fn note(&self, call: &Call<'_>) {
        let uses = uses(call);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(uses);
    }

    /// Notes what another has noted.
    pub fn note_all(&self, uses: BTreeSet<Use>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(uses);
    }

    pub fn all(&self) -> BTreeSet<Use> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn uses(call: &Call<'_>) -> Vec<Use> {
    let body = &call.body;
    match call.operation {
        "BatchGetItem" => of_tables(call, "BatchGetItem", keys_of(&body["RequestItems"])),
        "TransactWriteItems" => {
            elements(&body["TransactItems"]).flat_map(|item| of_write(call, item)).collect()
        }
        "GetItem" | "PutItem" | "UpdateItem" => of_tables(call, call.operation, [text(&body["TableName"])]),
        "Query" => {
            let index = format!("{}/index/{}", text(&body["TableName"]), text(&body["IndexName"]));
            of_tables(call, "Query", [index])
        }
        "RunTask" => vec![of_cluster(call, text(&body["taskDefinition"]))],
        "RegisterTaskDefinition" => vec![plain(call, "ecs:RegisterTaskDefinition", "*".to_owned())],
        "ListTasks" => vec![of_cluster(call, "*".to_owned())],
        "StopTask" => vec![of_task(call, &body["task"])],
        "DescribeTasks" => elements(&body["tasks"]).map(|task| of_task(call, task)).collect(),
        "PutEvents" => {
            let buses = elements(&body["Entries"]).map(|entry| text(&entry["EventBusName"]));
            buses
                .map(|bus| plain(call, "events:PutEvents", arn("events", &format!("event-bus/{bus}"))))
                .collect()
        }
        "SendMessage" => {
            let url = text(&body["QueueUrl"]);
            let name = url.rsplit('/').next().unwrap_or_default();
            vec![plain(call, "sqs:SendMessage", arn("sqs", name))]
        }
        "GetLogEvents" => {
            let group = text(&body["logGroupName"]);
            // Whatever the stream.
            let stream = format!("log-group:{group}:log-stream:stream");
            vec![plain(call, "logs:GetLogEvents", arn("logs", &stream))]
        }
        operation => panic!("it is not known here what IAM asks for {operation}"),
    }
}

fn arn(service: &str, resource: &str) -> String {
    format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}")
}

fn plain(call: &Call<'_>, action: &str, resource: String) -> Use {
    Use { caller: call.caller.to_owned(), action: action.to_owned(), resource, cluster: None }
}

fn of_tables(call: &Call<'_>, action: &str, tables: impl IntoIterator<Item = String>) -> Vec<Use> {
    let action = format!("dynamodb:{action}");
    let tables = tables.into_iter().map(|table| arn("dynamodb", &format!("table/{table}")));
    tables.map(|table| plain(call, &action, table)).collect()
}

/// A transaction needs what each of its writes would need by itself (DynamoDB developer guide, IAM with transactions).
fn of_write(call: &Call<'_>, item: &Value) -> Vec<Use> {
    let writes = item.as_object().into_iter().flatten();
    let named = writes.flat_map(|(kind, write)| {
        let action = match kind.as_str() {
            "ConditionCheck" => "ConditionCheckItem".to_owned(),
            kind => format!("{kind}Item"),
        };
        of_tables(call, &action, [text(&write["TableName"])])
    });
    named.collect()
}

fn of_cluster(call: &Call<'_>, resource: String) -> Use {
    let cluster = arn("ecs", &format!("cluster/{}", text(&call.body["cluster"])));
    Use { cluster: Some(cluster), ..plain(call, &format!("ecs:{}", call.operation), resource) }
}

/// Whatever the task: one stands for all of its cluster.
fn of_task(call: &Call<'_>, task: &Value) -> Use {
    let task = text(task);
    let cluster = task.rsplit_once('/').map_or(&*task, |(cluster, _)| cluster);
    of_cluster(call, format!("{cluster}/task"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn elements(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn keys_of(value: &Value) -> impl Iterator<Item = String> {
    value.as_object().into_iter().flatten().map(|(name, _)| name.clone())
}
