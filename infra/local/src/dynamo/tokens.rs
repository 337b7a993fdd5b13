//! `ClientRequestToken`, kept here because the engine looks through all of its tokens at every transaction.
//!
//! The SDK sends one with each transaction, so in ten minutes of work there are thousands.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::aws_json::{Answer, AwsError};

/// How long DynamoDB knows a token. tokio's clock measures it, so that paused time counts.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// Room for so many is kept.
const LEAST_ROOM: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Book>);

/// Each token is known by its [`digest`], so that the thousands of ten minutes take little memory.
#[derive(Debug, Default)]
struct Book {
    /// Those of transactions in progress, with the fingerprints of the requests.
    begun: HashMap<u128, u64>,
    done: HashMap<u128, Done>,
    /// Oldest first.
    ends: VecDeque<(Instant, u128)>,
}

/// A transaction that has succeeded.
#[derive(Debug)]
struct Done {
    request: u64,
    /// None is `{}`, which nearly every answer is.
    answer: Option<Box<Value>>,
}

impl Tokens {
    /// Takes the token out of a request; one that DynamoDB would refuse stays for the engine to refuse.
    pub(super) fn take(body: &mut Value) -> Option<String> {
        let members = body.as_object_mut()?;
        let token = members.get("ClientRequestToken")?.as_str()?.to_owned();
        if !(1..=36).contains(&token.len()) {
            return None;
        }
        members.remove("ClientRequestToken");
        Some(token)
    }

    /// Runs a transaction unless its token is known: then repeats the answer, or tells what is wrong.
    ///
    /// Only success is remembered; what was refused may be tried again under its token.
    pub(super) fn once(&self, token: &str, body: Value, run: impl FnOnce(Value) -> Answer) -> Answer {
        let (token, request) = (digest(token), fingerprint(&body));
        if let Some(answer) = self.book().begin(token, request)? {
            return Ok(answer);
        }
        let answer = run(body);
        self.book().end(token, &answer);
        answer
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn begin(&mut self, token: u128, request: u64) -> Result<Option<Value>, AwsError> {
        self.forget();
        let done = self.done.get(&token);
        let known = done.map(|done| done.request).or_else(|| self.begun.get(&token).copied());
        if known.is_some_and(|known| known != request) {
            return Err(AwsError::client(
                "IdempotentParameterMismatchException",
                "the token was used for another request",
            ));
        }
        if let Some(Done { answer, .. }) = done {
            let nothing = || Value::Object(Map::new());
            return Ok(Some(answer.as_deref().map_or_else(nothing, Value::clone)));
        }
        if self.begun.insert(token, request).is_some() {
            return Err(AwsError::client(
                "TransactionInProgressException",
                "the transaction of this token is still in progress",
            ));
        }
        Ok(None)
    }

    fn end(&mut self, token: u128, answer: &Answer) {
        let (Some(request), Ok(answer)) = (self.begun.remove(&token), answer) else {
            return;
        };
        let is_empty = answer.as_object().is_some_and(Map::is_empty);
        let answer = (!is_empty).then(|| Box::new(answer.clone()));
        self.done.insert(token, Done { request, answer });
        self.ends.push_back((Instant::now(), token));
    }

    fn forget(&mut self) {
        while let Some((_, token)) = self.ends.pop_front_if(|(at, _)| at.elapsed() >= KNOWN_FOR) {
            self.done.remove(&token);
        }
        // What a busy time took is given back.
        if self.ends.capacity() > LEAST_ROOM.max(4 * self.ends.len()) {
            self.done.shrink_to(2 * self.ends.len());
            self.ends.shrink_to(2 * self.ends.len());
        }
    }
}

/// Stands for a token; no two have the same.
fn digest(token: &str) -> u128 {
    let hash = Sha256::digest(token);
    hash.iter().take(16).fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}

/// Tells one request from another; how much capacity it wants told back is not part of it.
fn fingerprint(body: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.get("TransactItems").map(Value::to_string).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn done(number: u32) -> impl FnOnce(Value) -> Answer {
        move |_| Ok(json!(number))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_known_for_ten_minutes() {
        let tokens = Tokens::default();
        assert_eq!(tokens.once("t", json!({}), done(1)), Ok(json!(1)));
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(tokens.once("t", json!({}), done(2)), Ok(json!(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(tokens.once("t", json!({}), done(3)), Ok(json!(3)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_repeated_as_it_was_given() {
        let tokens = Tokens::default();
        for (token, answer) in [("a", json!({})), ("b", json!({"ConsumedCapacity": []})), ("c", json!(null))]
        {
            let first = tokens.once(token, json!({}), |_| Ok(answer.clone()));
            assert_eq!((first, tokens.once(token, json!({}), done(7))), (Ok(answer.clone()), Ok(answer)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_of_a_busy_time_is_small_and_given_back() {
        let tokens = Tokens::default();
        for number in 0..10_000 {
            tokens.once(&format!("{number:036}"), json!({}), |_| Ok(json!({}))).unwrap();
        }
        let room = |tokens: &Tokens| {
            let book = tokens.book();
            book.done.capacity() * size_of::<(u128, Done)>()
                + book.ends.capacity() * size_of::<(Instant, u128)>()
        };
        assert!(room(&tokens) <= 10_000 * 128, "{}", room(&tokens));
        tokio::time::advance(KNOWN_FOR).await;
        tokens.once("another", json!({}), done(1)).unwrap();
        assert!(room(&tokens) < 10_000, "{}", room(&tokens));
    }

    #[test]
    fn a_token_belongs_to_one_request() {
        let tokens = Tokens::default();
        tokens.once("t", json!({"TransactItems": [1]}), done(1)).unwrap();
        let other = tokens.once("t", json!({"TransactItems": [2]}), done(2));
        assert_eq!(other.unwrap_err().code, "IdempotentParameterMismatchException");
    }

    #[test]
    fn a_transaction_in_progress_is_not_run_beside_itself() {
        let tokens = Tokens::default();
        tokens
            .once("t", json!({}), |body| {
                let within = tokens.once("t", body, done(2));
                assert_eq!(within.unwrap_err().code, "TransactionInProgressException");
                Ok(json!(1))
            })
            .unwrap();
    }

    #[test]
    fn what_was_refused_may_be_tried_again() {
        let tokens = Tokens::default();
        let refused = |_| Err(AwsError::client("TransactionCanceledException", ""));
        assert!(tokens.once("t", json!({}), refused).is_err());
        assert_eq!(tokens.once("t", json!({}), done(1)), Ok(json!(1)));
    }
}
