//! Planted bugs: rewrites of the functions' traffic with AWS, and of its delivery.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use modbox_local::aws_json::{Answer, AwsError};
use serde_json::{Map, Value, json};

use super::checks::ENVIRONMENT_SECRET;

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// A bug that the suite must catch.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mutant { $($(#[$doc])* $name,)+ }

        impl Mutant {
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

mutants! {
    /// A changed row is written whatever version stands there.
    NoVersionCondition,
    /// RunTask carries no clientToken.
    NoClientToken,
    /// RunTask starts two tasks.
    TwoTasks,
    /// A create does not write the name.
    NameNotTaken,
    /// A create takes the name whoever holds it.
    NameTakenFromOthers,
    /// An end does not free the name.
    NameNeverFreed,
    /// An end frees the name whoever holds it.
    NameFreedForOthers,
    /// The name does not say until when it is held.
    NameWithoutDeadline,
    /// An extension does not reach the name.
    NameNotExtended,
    /// The api reads a row as it was a change before.
    OldRow,
    /// The api lists rows as they were a change before.
    OldList,
    /// StopTask is answered and not done.
    StopSwallowed,
    /// A record that failed is not delivered again.
    FailureAcknowledged,
    /// The stream does not reach the reaper.
    StopsUndelivered,
    /// The stream does not tell the reaper what begins to run.
    StartsUndelivered,
    /// ECS's events do not reach the observer.
    EventsDropped,
    /// A create does not write its Idempotency-Key.
    KeyNotKept,
    /// A create writes its Idempotency-Key over an older one.
    KeyOverwritten,
    /// Rows are not in the attention index.
    NoAttention,
    /// Only one of four shards of the attention index is read.
    ShardsOverlooked,
    /// RunTask does not say for whom.
    NobodyStartedIt,
    /// The task is not told its deadline.
    NoDeadlineInTask,
    /// A shard's records come in the wrong order, and those that failed are not told from the others.
    BatchReversed,
    /// ECS refuses every task.
    NoTaskStarts,
    /// The row holds the environment unsealed.
    EnvironmentInTheClear,
    /// A lifecycle event holds the environment.
    EnvironmentInEvents,
    /// A destroy is answered and not written.
    DestroyNotWritten,
    /// Whoever reads that a deadline has passed tells so, and the end is not written.
    EndToldNotWritten,
    /// A condition that failed is taken for success.
    RefusalTakenForSuccess,
}

/// What a mutant does to the traffic; nothing without one.
#[derive(Debug, Default)]
pub struct Tampering {
    mutant: Option<Mutant>,
    /// Items as they were: now, and a change before.
    memory: Mutex<BTreeMap<String, (Value, Value)>>,
}

impl Tampering {
    pub fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, memory: Mutex::default() }
    }

    pub fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Rewrites a request, or answers it in AWS's place.
    pub fn request(&self, caller: &str, operation: &str, body: &mut Value) -> Option<Answer> {
        match self.mutant? {
            Mutant::NoVersionCondition => {
                rows(body).for_each(|put| unconditional(put, "#version = :version"));
            }
            Mutant::NoClientToken => drop(body.as_object_mut()?.remove("clientToken")),
            Mutant::TwoTasks if operation == "RunTask" => body["count"] = json!(2),
            Mutant::NameNotTaken => leave_out(body, |item| key(item).starts_with("NAME#")),
            Mutant::NameTakenFromOthers => names(body).for_each(|put| unconditional(put, "taken")),
            Mutant::NameNeverFreed => leave_out(body, |item| update(item).contains("taken = :free")),
            Mutant::NameFreedForOthers => free_for_others(body),
            Mutant::NameWithoutDeadline => names(body).for_each(|put| drop(remove(put, "live_until"))),
            Mutant::NameNotExtended => leave_out(body, |item| update(item).contains("live_until = :until")),
            Mutant::NoTaskStarts if operation == "RunTask" => {
                return Some(Err(AwsError::client("ClientException", "no task starts")));
            }
            Mutant::StopSwallowed if operation == "StopTask" => return Some(Ok(json!({"task": {}}))),
            Mutant::KeyNotKept => leave_out(body, |item| key(item).starts_with("IDEM#")),
            Mutant::KeyOverwritten => {
                puts(body)
                    .filter(|put| pk(&put["Item"]).starts_with("IDEM#"))
                    .for_each(|put| unconditional(put, "pk"));
            }
            Mutant::NoAttention => rows(body).for_each(|put| drop(remove(put, "attention"))),
            Mutant::ShardsOverlooked => return overlook(body),
            Mutant::NobodyStartedIt => drop(body.as_object_mut()?.remove("startedBy")),
            Mutant::NoDeadlineInTask => forget_deadline(body),
            Mutant::EnvironmentInTheClear => rows(body).for_each(|put| {
                put["Item"]["env"] = json!({"B": BASE64_STANDARD.encode(ENVIRONMENT_SECRET)});
            }),
            Mutant::EnvironmentInEvents => body["Entries"].as_array_mut()?.iter_mut().for_each(|entry| {
                entry["Resources"] = json!([ENVIRONMENT_SECRET]);
            }),
            Mutant::EndToldNotWritten if caller == "api" => {
                let ends = rows(body).any(|put| put["Item"]["end_reason"]["S"] == "expired");
                return ends.then(|| Ok(json!({})));
            }
            Mutant::DestroyNotWritten if caller == "api" => {
                let ends = rows(body).any(|put| put["Item"]["state"]["S"] == "destroying");
                return ends.then(|| Ok(json!({})));
            }
            _ => {}
        }
        None
    }

    /// Rewrites an answer.
    pub fn answer(&self, caller: &str, operation: &str, answer: Answer) -> Answer {
        match (self.mutant, operation) {
            (Some(Mutant::OldRow), "GetItem") => answer.map(|mut answer| {
                self.older(caller, &mut answer["Item"]);
                answer
            }),
            (Some(Mutant::OldList), "BatchGetItem") => answer.map(|mut answer| {
                let tables = answer["Responses"].as_object_mut().into_iter().flat_map(Map::values_mut);
                let items = tables.filter_map(Value::as_array_mut).flatten();
                items.for_each(|item| self.older(caller, item));
                answer
            }),
            (Some(Mutant::RefusalTakenForSuccess), "TransactWriteItems") => answer
                .or_else(|error| if error.code.contains("Canceled") { Ok(json!({})) } else { Err(error) }),
            _ => answer,
        }
    }

    /// Replaces a row that the api reads by what it was a change before.
    fn older(&self, caller: &str, item: &mut Value) {
        if caller != "api" || !pk(item).starts_with("SANDBOX#") {
            return;
        }
        let mut memory = self.memory();
        let (now, before) = memory.entry(pk(item).to_owned()).or_insert_with(|| (item.clone(), item.clone()));
        if *now != *item {
            *before = std::mem::replace(now, item.clone());
        }
        *item = before.clone();
    }

    fn memory(&self) -> MutexGuard<'_, BTreeMap<String, (Value, Value)>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pk(item: &Value) -> &str {
    item["pk"]["S"].as_str().unwrap_or_default()
}

/// The key of what an item of a transaction puts.
fn key(item: &Value) -> &str {
    pk(&item["Put"]["Item"])
}

fn update(item: &Value) -> &str {
    item["Update"]["UpdateExpression"].as_str().unwrap_or_default()
}

/// Every put of a request, alone or in a transaction.
fn puts(body: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    if body.get("Item").is_some() {
        return Box::new(std::iter::once(body));
    }
    let items = body.get_mut("TransactItems").and_then(Value::as_array_mut).into_iter().flatten();
    Box::new(items.filter_map(|item| item.get_mut("Put")))
}

fn rows(body: &mut Value) -> impl Iterator<Item = &mut Value> {
    puts(body).filter(|put| pk(&put["Item"]).starts_with("SANDBOX#"))
}

fn names(body: &mut Value) -> impl Iterator<Item = &mut Value> {
    puts(body).filter(|put| pk(&put["Item"]).starts_with("NAME#"))
}

fn remove(put: &mut Value, attribute: &str) -> Option<Value> {
    put["Item"].as_object_mut()?.remove(attribute)
}

/// Takes away a condition that contains these words.
fn unconditional(put: &mut Value, words: &str) {
    let condition = put["ConditionExpression"].as_str().unwrap_or_default();
    if condition.contains(words)
        && let Some(put) = put.as_object_mut()
    {
        for member in ["ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"] {
            put.remove(member);
        }
    }
}

/// Takes items out of a transaction that has others too.
fn leave_out(body: &mut Value, which: impl Fn(&Value) -> bool) {
    let items = body.get_mut("TransactItems").and_then(Value::as_array_mut);
    let Some(items) = items else { return };
    if !items.iter().all(&which) {
        items.retain(|item| !which(item));
    }
}

fn free_for_others(body: &mut Value) {
    let items = body.get_mut("TransactItems").and_then(Value::as_array_mut).into_iter().flatten();
    for item in items.filter(|item| update(item).contains("taken = :free")) {
        let Some(update) = item["Update"].as_object_mut() else { continue };
        update.remove("ConditionExpression");
        if let Some(values) = update["ExpressionAttributeValues"].as_object_mut() {
            values.remove(":id");
        }
    }
}

fn overlook(body: &Value) -> Option<Answer> {
    let values = body.get("ExpressionAttributeValues")?.as_object()?;
    let shard = values.values().find_map(|value| value["S"].as_str()?.strip_prefix("ATTENTION#"));
    let overlooked = shard.is_some_and(|shard| shard != "0");
    overlooked.then(|| Ok(json!({"Items": [], "Count": 0, "ScannedCount": 0})))
}

fn forget_deadline(body: &mut Value) {
    let containers = body["overrides"]["containerOverrides"].as_array_mut().into_iter().flatten();
    for environment in containers.filter_map(|container| container["environment"].as_array_mut()) {
        environment.retain(|pair| pair["name"] != "MODBOX_EXPIRES_AT_MS");
    }
}
