use std::{collections::BTreeMap, time::Duration};

use modbox_sandbox::Timestamp;
use serde_json::Value;

use crate::aws_json::AwsError;

/// How long a client token lives at most; it ends earlier when its tasks are forgotten, an hour after their end.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The client tokens of RunTask, each in the scope of its cluster.
#[derive(Default)]
pub(super) struct Tokens(BTreeMap<TokenKey, Held>);

/// Cluster and token.
pub(super) type TokenKey = (String, String);

struct Held {
    parameters: Value,
    /// Sequence numbers of the tasks that it stands for and that are not forgotten.
    tasks: Vec<u64>,
    until: Timestamp,
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
    pub(super) fn meet(&self, key: &TokenKey, parameters: &Value, now: Timestamp) -> Met {
        match self.0.get(key) {
            Some(held) if held.until <= now => Met::New,
            None => Met::New,
            Some(held) if held.parameters == *parameters => Met::Replay(held.tasks.clone()),
            Some(held) => Met::Conflict(held.tasks.clone()),
        }
    }

    pub(super) fn hold(&mut self, key: TokenKey, parameters: Value, tasks: Vec<u64>, now: Timestamp) {
        let until = now + LIFETIME;
        self.0.insert(key, Held { parameters, tasks, until });
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
        let key = || ("modbox".to_owned(), "t".to_owned());
        let mut tokens = Tokens::default();
        tokens.hold(key(), json!(1), vec![4, 5], start);
        let last = Timestamp::from_millis(24 * 3_600_000 - 1);
        assert_eq!(tokens.meet(&key(), &json!(1), last), Met::Replay(vec![4, 5]));
        assert_eq!(tokens.meet(&key(), &json!(2), last), Met::Conflict(vec![4, 5]));
        let over = Timestamp::from_millis(24 * 3_600_000);
        assert_eq!(tokens.meet(&key(), &json!(2), over), Met::New);

        tokens.forget(&key(), 4);
        assert_eq!(tokens.meet(&key(), &json!(1), start), Met::Replay(vec![5]));
        tokens.forget(&key(), 5);
        assert_eq!(tokens.meet(&key(), &json!(2), start), Met::New);
    }

    #[test]
    fn a_token_is_at_most_64_visible_ascii_characters() {
        assert!(check(&"x".repeat(64)).is_ok());
        for bad in ["", &"x".repeat(65), "a b", "ü"] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }
}
