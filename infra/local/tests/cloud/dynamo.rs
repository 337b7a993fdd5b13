//! DynamoDB and its conflicts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem};
use futures::future::BoxFuture;
use modbox_local::aws_json::{Answer, AwsError};
use modbox_local::cloud::{Cloud, Service};
use modbox_local::dynamo::Dynamo;
use serde_json::{Value, json};

use crate::world::{Absent, client, text, with_table};

fn put(key: &str) -> TransactWriteItem {
    let put = Put::builder().table_name("modbox").item("pk", text(key));
    TransactWriteItem::builder().put(put.build().unwrap()).build()
}

#[tokio::test]
async fn an_item_is_read_as_it_was_written_and_the_calls_are_counted_by_caller() {
    let (_dynamo, cloud, client) = with_table(Dynamo::in_memory().unwrap()).await;
    let put = client.put_item().table_name("modbox").item("pk", text("a"));
    put.item("n", text("1")).send().await.unwrap();

    let reader = client!(aws_sdk_dynamodb, cloud, "reader");
    let got = reader.get_item().table_name("modbox").key("pk", text("a")).send().await.unwrap();

    assert_eq!(got.item().unwrap()["n"], text("1"));
    let calls = cloud.calls();
    assert_eq!(calls[&("reader".to_owned(), "GetItem".to_owned())], 1);
    assert_eq!(calls[&("test".to_owned(), "PutItem".to_owned())], 1);
    assert!(!calls.contains_key(&("reader".to_owned(), "PutItem".to_owned())));
}

#[tokio::test]
async fn a_failed_condition_is_the_sdks_own_error() {
    let (_dynamo, _cloud, client) = with_table(Dynamo::in_memory().unwrap()).await;
    let update = client.update_item().table_name("modbox").key("pk", text("a"));
    let update = update.condition_expression("attribute_exists(pk)");
    let refused = update.return_values(ReturnValue::AllNew).send().await.unwrap_err();
    assert_eq!(refused.raw_response().unwrap().status().as_u16(), 400);
    assert!(refused.into_service_error().is_conditional_check_failed_exception());
}

#[tokio::test]
async fn a_missing_table_and_an_unknown_operation_are_told_apart() {
    let (dynamo, cloud, client) = with_table(Dynamo::in_memory().unwrap()).await;
    let missing = client.get_item().table_name("other").key("pk", text("a")).send().await;
    assert_eq!(missing.unwrap_err().code(), Some("ResourceNotFoundException"));

    let unknown = dynamo.call("Frobnicate", json!({})).unwrap_err();
    assert_eq!((unknown.status, unknown.code.as_str()), (400, "UnknownOperationException"));
    let unrouted = cloud.call("test", "Nowhere.GetItem", b"{}").await;
    assert_eq!(unrouted.status, 400);
    assert!(String::from_utf8(unrouted.body).unwrap().contains("UnknownOperationException"));
}

#[tokio::test]
async fn a_write_of_an_item_in_a_transaction_is_refused_until_it_is_over() {
    let (dynamo, _cloud, client) = with_table(Dynamo::in_memory().unwrap()).await;
    let write = || client.put_item().table_name("modbox").item("pk", text("a")).send();
    let ongoing = dynamo.hold("modbox", &[json!({"pk": {"S": "a"}})]);

    let refused = write().await.unwrap_err();
    assert_eq!(refused.code(), Some("TransactionConflictException"));
    let read = client.get_item().table_name("modbox").key("pk", text("a")).send().await;
    assert!(read.is_ok(), "reads are never refused");
    let other = client.put_item().table_name("modbox").item("pk", text("b")).send().await;
    assert!(other.is_ok(), "other items are free");

    drop(ongoing);
    write().await.unwrap();
}

#[tokio::test]
async fn a_transaction_that_meets_another_is_cancelled_with_reasons_in_item_order() {
    let (dynamo, _cloud, client) = with_table(Dynamo::in_memory().unwrap()).await;
    let items = || Some(vec![put("a"), put("b"), put("c")]);
    let ongoing = dynamo.hold("modbox", &[json!({"pk": {"S": "b"}})]);

    let refused = client.transact_write_items().set_transact_items(items()).send().await;
    let cancelled = refused.unwrap_err().into_service_error();
    let aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError::TransactionCanceledException(
        cancelled,
    ) = cancelled
    else {
        panic!("{cancelled:?}");
    };
    let reasons: Vec<_> = cancelled
        .cancellation_reasons()
        .iter()
        .map(|reason| (reason.code().unwrap(), reason.message()))
        .collect();
    let conflict = ("TransactionConflict", Some("Transaction is ongoing for the item"));
    assert_eq!(reasons, [("None", None), conflict, ("None", None)]);

    drop(ongoing);
    client.transact_write_items().set_transact_items(items()).send().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_meets_a_transaction_is_handed_back() {
    let (dynamo, _cloud, _client) = with_table(Dynamo::in_memory().unwrap()).await;
    let requests = json!({"modbox": [{"PutRequest": {"Item": {"pk": {"S": "a"}}}}]});
    let ongoing = dynamo.hold("modbox", &[json!({"pk": {"S": "a"}})]);

    let answer = dynamo.call("BatchWriteItem", json!({"RequestItems": requests})).unwrap();
    assert_eq!(answer["UnprocessedItems"], requests);

    drop(ongoing);
    let answer = dynamo.call("BatchWriteItem", json!({"RequestItems": requests})).unwrap();
    assert_eq!(answer["UnprocessedItems"], json!({}));
}

#[tokio::test]
async fn a_transaction_repeated_with_its_token_is_not_done_twice() {
    let (dynamo, _cloud, _client) = with_table(Dynamo::in_memory().unwrap()).await;
    let update = json!({"Update": {
        "TableName": "modbox", "Key": {"pk": {"S": "a"}},
        "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}},
    }});
    let request = json!({"ClientRequestToken": "once", "TransactItems": [update]});
    for _ in 0..2 {
        dynamo.call("TransactWriteItems", request.clone()).unwrap();
    }
    let key = json!({"TableName": "modbox", "Key": {"pk": {"S": "a"}}});
    assert_eq!(dynamo.call("GetItem", key).unwrap()["Item"]["n"], json!({"N": "1"}));
}

/// Throttles the first call.
#[derive(Debug)]
struct Throttled(Arc<Dynamo>, AtomicBool);

impl Service for Throttled {
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer> {
        if self.1.swap(false, Ordering::Relaxed) {
            return Box::pin(async { Err(AwsError::client("ThrottlingException", "slow down")) });
        }
        Service::call(self.0.as_ref(), operation, body)
    }
}

#[tokio::test(start_paused = true)]
async fn the_sdk_knows_a_throttle_and_tries_again() {
    let (dynamo, _cloud, _client) = with_table(Dynamo::in_memory().unwrap()).await;
    let throttled = Arc::new(Throttled(dynamo, AtomicBool::new(true)));
    let absent = || Arc::new(Absent);
    let cloud = Cloud::new(throttled, absent(), absent(), absent(), absent());
    let client = client!(aws_sdk_dynamodb, cloud, "test");
    client.get_item().table_name("modbox").key("pk", text("a")).send().await.unwrap();
    assert_eq!(cloud.calls()[&("test".to_owned(), "GetItem".to_owned())], 2);
}
