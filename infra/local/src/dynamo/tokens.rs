//! `ClientRequestToken`, kept here because the engine looks through all of its tokens at every transaction.
//!
//! The SDK sends one with each transaction, so in ten minutes of work there are thousands.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::aws_json::{Answer, AwsError};

/// How long DynamoDB knows a token. tokio's clock measures it, so that paused time counts.
const KNOWN_FOR: Duration = Duration::from_secs(600);

#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    known: HashMap<String, Known>,
    done: VecDeque<(Instant, String)>,
}

#[derive(Debug)]
struct Known {
    request: u64,
    answer: Option<Value>,
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
        let request = fingerprint(&body);
        if let Some(answer) = self.begin(token, request)? {
            return Ok(answer);
        }
        let answer = run(body);
        self.end(token, &answer);
        answer
    }

    fn begin(&self, token: &str, request: u64) -> Result<Option<Value>, AwsError> {
        let mut book = self.book();
        book.forget();
        match book.known.get(token) {
            Some(known) if known.request != request => Err(AwsError::client(
                "IdempotentParameterMismatchException",
                "the token was used for another request",
            )),
            Some(Known { answer: None, .. }) => Err(AwsError::client(
                "TransactionInProgressException",
                "the transaction of this token is still in progress",
            )),
            Some(known) => Ok(known.answer.clone()),
            None => {
                let begun = Known { request, answer: None };
                book.known.insert(token.to_owned(), begun);
                Ok(None)
            }
        }
    }

    fn end(&self, token: &str, answer: &Answer) {
        let mut book = self.book();
        let Ok(answer) = answer else {
            book.known.remove(token);
            return;
        };
        if let Some(known) = book.known.get_mut(token) {
            known.answer = Some(answer.clone());
            book.done.push_back((Instant::now(), token.to_owned()));
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn forget(&mut self) {
        while let Some((at, token)) = self.done.front() {
            if at.elapsed() < KNOWN_FOR {
                return;
            }
            self.known.remove(token);
            self.done.pop_front();
        }
    }
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
