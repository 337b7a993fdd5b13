//! Indexes that lag: what a query of one answered some seconds ago.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use modbox_sandbox::Timestamp;
use serde_json::Value;

/// The items that changed lately, as they were before.
#[derive(Debug, Default)]
pub struct Indexes(Mutex<VecDeque<(Timestamp, Changed)>>);

#[derive(Clone, Debug)]
struct Changed {
    key: String,
    /// Null: it was not there.
    before: Value,
}

impl Indexes {
    /// Keeps what stood there before a change.
    pub fn changed(&self, record: &Value, now: Timestamp) {
        let key = record["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap_or_default().to_owned();
        let changed = Changed { key, before: record["dynamodb"]["OldImage"].clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back((now, changed));
    }

    /// The answer that the query would have got `lag` ago, made of today's.
    ///
    /// It knows the two conditions that are asked for: a hash alone, and a hash with an upper or lower bound.
    pub fn as_of(&self, now: Timestamp, lag: Duration, query: &Value, mut answer: Value) -> Value {
        let mut then: BTreeMap<String, Value> = BTreeMap::new();
        for (at, changed) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if now.since(*at) < lag {
                then.entry(changed.key.clone()).or_insert_with(|| changed.before.clone());
            }
        }
        let Some(items) = answer["Items"].as_array_mut() else { return answer };
        let key = |item: &Value| item["pk"]["S"].as_str().unwrap_or_default().to_owned();
        items.retain(|item| !then.contains_key(&key(item)));
        items.extend(then.into_values().filter(|item| !item.is_null() && Condition::of(query).holds(item)));
        let range = Condition::of(query).range;
        items.sort_by_key(|item| (order(&item[&range]), key(item)));
        if query["ScanIndexForward"] == false {
            items.reverse();
        }
        answer["Count"] = Value::from(answer["Items"].as_array().map_or(0, Vec::len));
        answer
    }
}

/// Numbers by their value, texts as they are.
fn order(attribute: &Value) -> (i64, String) {
    let number = attribute["N"].as_str().and_then(|text| text.parse().ok());
    (number.unwrap_or_default(), attribute["S"].as_str().unwrap_or_default().to_owned())
}

struct Condition<'a> {
    hash: (String, &'a Value),
    range: String,
    bound: Option<(&'a str, &'a Value)>,
}

impl<'a> Condition<'a> {
    fn of(query: &'a Value) -> Self {
        let text = query["KeyConditionExpression"].as_str().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        let name = |word: &str| match word.starts_with('#') {
            true => query["ExpressionAttributeNames"][word].as_str().unwrap_or_default().to_owned(),
            false => word.to_owned(),
        };
        let value = |word: &str| &query["ExpressionAttributeValues"][word];
        let (hash, bound) = match words.as_slice() {
            [hash, "=", of] => ((name(hash), value(of)), None),
            [hash, "=", of, "AND", _, comparison, bound] => {
                ((name(hash), value(of)), Some((*comparison, value(bound))))
            }
            _ => panic!("a condition of a query that the simulation does not know: {text}"),
        };
        let range = if query["IndexName"] == "attention" { "look_at" } else { "created" };
        Self { hash, range: range.to_owned(), bound }
    }

    fn holds(&self, item: &Value) -> bool {
        let (hash, value) = &self.hash;
        let (at, there) = (order(&item[&self.range]), item.get(&self.range).is_some());
        let bound = match self.bound {
            None => true,
            Some(("<=", bound)) => at <= order(bound),
            Some(("<", bound)) => at < order(bound),
            Some((other, _)) => panic!("a comparison of a query that the simulation does not know: {other}"),
        };
        there && item[hash] == **value && bound
    }
}
