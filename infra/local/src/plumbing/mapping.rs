//! An event source mapping: which records of a stream call which function, and how.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use serde_json::Value;

use super::filter::Filter;
use super::{Handler, INVOCATION_TIMEOUT};
use crate::dynamo::StreamRecord;

/// Calls a function with batches of a stream's records.
///
/// Records of one item are delivered in their order, each at least once, without limit of attempts or age. One that
/// passes no filter is acknowledged without a call; no filter at all passes everything.
#[derive(Clone)]
pub struct Mapping {
    pub name: String,
    /// A record needs to pass one of these.
    pub filters: Vec<Filter>,
    /// How many batches may be under way; an item's records always go to the same shard.
    pub shards: usize,
    pub batch_size: usize,
    pub timeout: Duration,
    pub function: Handler,
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("name", &self.name)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}

impl Mapping {
    /// A mapping with four shards and batches of up to 100.
    pub fn new(name: &str, filters: Vec<Filter>, function: Handler) -> Self {
        Self {
            name: name.to_owned(),
            filters,
            shards: 4,
            batch_size: 100,
            timeout: INVOCATION_TIMEOUT,
            function,
        }
    }

    /// Whether the record passes a filter.
    pub fn wants(&self, record: &StreamRecord) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(&record.event))
    }

    /// The shard of an item's records. The same in every run: the hasher has fixed keys.
    pub fn shard_of(&self, key: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let shards = u64::try_from(self.shards.max(1)).unwrap_or(1);
        usize::try_from(hasher.finish() % shards).unwrap_or(0)
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// The function names records that failed; this is the place of the first. What comes after it is repeated too.
    FailedFrom(usize),
    /// The function failed, or named a record that is not in the batch.
    Failed,
}

impl Outcome {
    /// Reads the answer of a function that reports its batch item failures.
    pub fn of(answer: &Value, sequences: &[String]) -> Self {
        let failures = answer.get("batchItemFailures").and_then(Value::as_array);
        let place = |failure: &Value| {
            let id = failure.get("itemIdentifier").and_then(Value::as_str)?;
            sequences.iter().position(|sequence| sequence == id)
        };
        let places: Option<Vec<usize>> = failures.into_iter().flatten().map(place).collect();
        match places {
            None => Self::Failed,
            Some(places) => places.into_iter().min().map_or(Self::Done, Self::FailedFrom),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "json! reads best in place")]
    fn outcome(failed: Value) -> Outcome {
        let sequences = ["10", "11", "12"].map(str::to_owned);
        Outcome::of(&json!({"batchItemFailures": failed}), &sequences)
    }

    #[test]
    fn the_lowest_failed_record_counts() {
        assert_eq!(
            outcome(json!([{"itemIdentifier": "12"}, {"itemIdentifier": "11"}])),
            Outcome::FailedFrom(1)
        );
    }

    #[test]
    fn nothing_named_is_success() {
        assert_eq!(outcome(json!([])), Outcome::Done);
        assert_eq!(outcome(Value::Null), Outcome::Done);
        assert_eq!(Outcome::of(&Value::Null, &[]), Outcome::Done);
    }

    #[test]
    fn an_unknown_or_empty_name_fails_the_whole_batch() {
        for failed in [
            json!([{"itemIdentifier": "12"}, {"itemIdentifier": "13"}]),
            json!([{"itemIdentifier": ""}]),
            json!([{"itemIdentifier": null}]),
            json!([{}]),
        ] {
            assert_eq!(outcome(failed.clone()), Outcome::Failed, "{failed}");
        }
    }
}
