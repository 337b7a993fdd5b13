use std::{collections::BTreeMap, time::Duration};

use modbox_sandbox::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::aws_json::AwsError;

/// How long a client token lives at most; it ends earlier when its tasks are forgotten, an hour after their end.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The client tokens of RunTask, each in the scope of its cluster.
#[derive(Default)]
pub(super) struct Tokens(BTreeMap<TokenKey, Held>);

/// Cluster and token.
pub(super) type TokenKey = (String, String);

/// One use of a token: what the tasks that were launched with it know of it.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct Use {
    pub(super) key: TokenKey,
    /// The [`fingerprint`] of the call.
    parameters: String,
    until_ms: i64,
}

impl Use {
    pub(super) fn new(key: TokenKey, parameters: String, now: Timestamp) -> Self {
        Self { key, parameters, until_ms: (now + LIFETIME).millis() }
    }
}

struct Held {
    parameters: String,
    /// Sequence numbers of the tasks that it stands for and that are not forgotten.
    tasks: Vec<u64>,
    until_ms: i64,
}

/// What a token says about a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met {
    New,
    /// The call was made before: these are its tasks.
    Replay(Vec<u64>),
    /// The token was used with other parameters, for these tasks.
    Conflict(Vec<u64>),
}

impl Tokens {
    pub(super) fn meet(&self, call: &Use, now: Timestamp) -> Met {
        match self.0.get(&call.key) {
            Some(held) if held.until_ms <= now.millis() => Met::New,
            None => Met::New,
            Some(held) if held.parameters == call.parameters => Met::Replay(held.tasks.clone()),
            Some(held) => Met::Conflict(held.tasks.clone()),
        }
    }

    /// Has a token stand for a task, beside others of the same use. The latest use counts.
    pub(super) fn hold(&mut self, token: &Use, task: u64) {
        let Use { key, parameters, until_ms } = token.clone();
        match self.0.get_mut(&key) {
            Some(held) if held.until_ms == until_ms => held.tasks.push(task),
            Some(held) if held.until_ms > until_ms => {}
            _ => {
                self.0.insert(key, Held { parameters, tasks: vec![task], until_ms });
            }
        }
    }

    /// Forgets a task, and its token with the last one.
    pub(super) fn forget(&mut self, key: &TokenKey, task: u64) {
        let Some(held) = self.0.get_mut(key) else {
            return;
        };
        let before = held.tasks.len();
        held.tasks.retain(|kept| *kept != task);
        // A token that was used anew after its 24 hours stands for other tasks, and stays.
        if held.tasks.is_empty() && before > 0 {
            self.0.remove(key);
        }
    }
}

/// What makes two calls the same: all members but the token. It is a hash, since the members hold secrets and this is
/// remembered.
pub(super) fn fingerprint(body: &Value) -> String {
    let mut parameters = body.clone();
    if let Some(members) = parameters.as_object_mut() {
        members.remove("clientToken");
        members.retain(|_, value| !value.is_null());
    }
    // Canonical: members are in the order of their names.
    let digest = Sha256::digest(parameters.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks the form: 1 to 64 characters, ASCII 33 to 126.
pub(super) fn check(token: &str) -> Result<(), AwsError> {
    if (1..=64).contains(&token.len()) && token.bytes().all(|byte| (33..=126).contains(&byte)) {
        return Ok(());
    }
    Err(AwsError::client(
        "InvalidParameterException",
        "clientToken must be 1 to 64 characters of ASCII 33 to 126.",
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_ends_after_24_hours_or_with_its_last_task() {
        let start = Timestamp::from_millis(0);
        let call = |body: Value| Use::new(("modbox".to_owned(), "t".to_owned()), fingerprint(&body), start);
        let (same, other) = (call(json!({"count": 1})), call(json!({"count": 2})));
        let mut tokens = Tokens::default();
        tokens.hold(&same, 4);
        tokens.hold(&same, 5);
        let last = Timestamp::from_millis(24 * 3_600_000 - 1);
        assert_eq!(tokens.meet(&same, last), Met::Replay(vec![4, 5]));
        assert_eq!(tokens.meet(&other, last), Met::Conflict(vec![4, 5]));
        let over = Timestamp::from_millis(24 * 3_600_000);
        assert_eq!(tokens.meet(&other, over), Met::New);

        tokens.forget(&same.key, 4);
        assert_eq!(tokens.meet(&same, start), Met::Replay(vec![5]));
        tokens.forget(&same.key, 5);
        assert_eq!(tokens.meet(&other, start), Met::New);
    }

    #[test]
    fn the_latest_use_of_a_token_counts_in_whatever_order_they_are_told() {
        let key = || ("modbox".to_owned(), "t".to_owned());
        let used_at = |millis| Use::new(key(), "same".to_owned(), Timestamp::from_millis(millis));
        let (first, second) = (used_at(0), used_at(24 * 3_600_000));
        for order in [[(&first, 1), (&second, 2)], [(&second, 2), (&first, 1)]] {
            let mut tokens = Tokens::default();
            order.into_iter().for_each(|(token, task)| tokens.hold(token, task));
            assert_eq!(tokens.meet(&second, Timestamp::from_millis(0)), Met::Replay(vec![2]));
        }
    }

    #[test]
    fn a_fingerprint_is_of_all_but_the_token_and_of_what_is_there() {
        let of = |body: Value| fingerprint(&body);
        let one = of(json!({"a": 1, "b": "hush", "clientToken": "x"}));
        assert_eq!(one, of(json!({"b": "hush", "a": 1, "c": null})));
        assert_ne!(one, of(json!({"a": 1, "b": "hash"})));
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn a_token_is_at_most_64_visible_ascii_characters() {
        assert!(check(&"x".repeat(64)).is_ok());
        for bad in ["", &"x".repeat(65), "a b", "ü"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
