//! A batch of stream records: each handled by itself, and answered for by itself.

use std::{future::Future, sync::Arc};

use futures::{StreamExt as _, stream};
use modbox_aws::{
    inbound::{Record, batch_answer, records},
    queue::DeadLetters,
};
use serde_json::Value;

use crate::Error;

/// RunTask and StopTask share their rates with the whole account, so a batch does not hurry (rule 2).
const AT_ONCE: usize = 10;

/// Handles each record of the event, ten at a time, and answers which are to be delivered again.
///
/// Only throttles and outages are: a record that no delivery can help goes to the dead-letter queue.
pub(crate) async fn batch<F>(
    dead_letters: &DeadLetters,
    function: &'static str,
    event: &Value,
    handle: impl Fn(Arc<Record>) -> F,
) -> Value
where
    F: Future<Output = Result<(), Error>>,
{
    let mut calls = Vec::new();
    for record in records(event).into_iter().map(Arc::new) {
        let handled = handle(Arc::clone(&record));
        calls.push(async move {
            let error = handled.await.err()?;
            dead_letters.settle(function, &record, error.retryable(), &error).await
        });
    }
    let again: Vec<Option<String>> = stream::iter(calls).buffered(AT_ONCE).collect().await;
    batch_answer(again.into_iter().flatten())
}
