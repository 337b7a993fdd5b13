//! The stream: as Lambda would deliver it, bounded, and never twice once trimmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use modbox_local::dynamo::{Dynamo, Stream};
use serde_json::{Value, json};

use crate::world::{Hand, with_table};

fn put(dynamo: &Dynamo, key: &str, state: &str) {
    let item = json!({"pk": {"S": key}, "state": {"S": state}});
    dynamo.call("PutItem", json!({"TableName": "modbox", "Item": item})).unwrap();
}

fn keys(stream: &Stream, after: i64) -> Vec<String> {
    let records = stream.read_after(after, 100).unwrap();
    let key = |event: &Value| event["dynamodb"]["Keys"]["pk"]["S"].as_str().unwrap().to_owned();
    records.iter().map(|record| key(&record.event)).collect()
}

/// Masks what differs from run to run.
fn masked(mut event: Value) -> Value {
    for (pointer, mask) in [
        ("/eventID", "id"),
        ("/eventSourceARN", "arn"),
        ("/dynamodb/SequenceNumber", "sequence"),
        ("/dynamodb/ApproximateCreationDateTime", "at"),
        ("/dynamodb/SizeBytes", "size"),
    ] {
        let place = event.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is there"));
        *place = json!(mask);
    }
    event
}

#[expect(clippy::needless_pass_by_value, reason = "json! reads best in place")]
fn expected(name: &str, images: Value) -> Value {
    let mut change = json!({
        "ApproximateCreationDateTime": "at", "Keys": {"pk": {"S": "a"}}, "SequenceNumber": "sequence",
        "SizeBytes": "size", "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    change.as_object_mut().unwrap().extend(images.as_object().unwrap().clone());
    json!({
        "eventID": "id", "eventName": name, "eventVersion": "1.1", "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1", "eventSourceARN": "arn", "dynamodb": change,
    })
}

async fn records_are_as_lambda_delivers_them(dynamo: Dynamo) {
    let (dynamo, _cloud, _client) = with_table(dynamo).await;
    put(&dynamo, "a", "1");
    put(&dynamo, "a", "2");
    let key = json!({"TableName": "modbox", "Key": {"pk": {"S": "a"}}});
    dynamo.call("DeleteItem", key).unwrap();

    let records = dynamo.stream("modbox").read_after(0, 10).unwrap();
    let image = |state: &str| json!({"pk": {"S": "a"}, "state": {"S": state}});
    let events: Vec<Value> = records.iter().map(|record| masked(record.event.clone())).collect();
    assert_eq!(events[0], expected("INSERT", json!({"NewImage": image("1")})));
    assert_eq!(events[1], expected("MODIFY", json!({"OldImage": image("1"), "NewImage": image("2")})));
    assert_eq!(events[2], expected("REMOVE", json!({"OldImage": image("2")})));
    assert!(records.is_sorted_by(|one, next| one.sequence < next.sequence));
    let number = &records[0].event["dynamodb"]["SequenceNumber"];
    assert_eq!(number.as_str().unwrap().len(), 21);
    assert_eq!(records[0].key, records[2].key);
    let after = dynamo.stream("modbox").read_after(records[0].sequence, 1).unwrap();
    assert_eq!(after, records[1..2]);
}

#[tokio::test]
async fn a_record_is_what_lambda_would_deliver() {
    records_are_as_lambda_delivers_them(Dynamo::in_memory().unwrap()).await;
}

#[tokio::test]
async fn a_record_is_the_same_on_a_virtual_clock() {
    records_are_as_lambda_delivers_them(Dynamo::in_memory_with_clock(Hand::at(1_000)).unwrap()).await;
}

#[tokio::test]
async fn a_removal_by_ttl_says_that_it_was_dynamodb() {
    let clock = Hand::at(1_000);
    let (dynamo, _cloud, client) = with_table(Dynamo::in_memory_with_clock(clock.clone()).unwrap()).await;
    let ttl = aws_sdk_dynamodb::types::TimeToLiveSpecification::builder().attribute_name("ttl").enabled(true);
    let request = client.update_time_to_live().table_name("modbox");
    request.time_to_live_specification(ttl.build().unwrap()).send().await.unwrap();
    let item = json!({"pk": {"S": "a"}, "ttl": {"N": "1010"}});
    dynamo.call("PutItem", json!({"TableName": "modbox", "Item": item})).unwrap();
    let mut written = dynamo.stream("modbox").written();

    clock.turn(Duration::from_secs(10));
    assert_eq!(dynamo.sweep_ttl().unwrap(), 0);
    assert!(!written.has_changed().unwrap());
    clock.turn(Duration::from_secs(1));
    assert_eq!(dynamo.sweep_ttl().unwrap(), 1);

    written.changed().await.unwrap();
    let removal = &dynamo.stream("modbox").read_after(0, 10).unwrap()[1].event;
    assert_eq!(removal["eventName"], "REMOVE");
    let identity = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
    assert_eq!(removal["userIdentity"], identity);
}

#[tokio::test]
async fn what_is_trimmed_does_not_come_back_and_what_is_not_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modbox.db");
    let (dynamo, cloud, client) = with_table(Dynamo::open(&file).unwrap()).await;
    for key in ["a", "b", "c"] {
        put(&dynamo, key, "1");
    }
    let stream = dynamo.stream("modbox");
    let records = stream.read_after(0, 10).unwrap();
    stream.trim_to(records[1].sequence).unwrap();
    stream.trim_to(records[0].sequence).unwrap();
    assert_eq!(keys(&stream, 0), ["c"]);
    drop((dynamo, cloud, client, stream));

    let dynamo = Arc::new(Dynamo::open(&file).unwrap());
    let stream = dynamo.stream("modbox");
    assert_eq!(keys(&stream, 0), ["c"]);
    stream.trim_to(records[2].sequence).unwrap();
    assert!(keys(&stream, 0).is_empty(), "the newest is gone for the reader");
    put(&dynamo, "d", "1");
    assert_eq!(keys(&stream, 0), ["d"]);
}

#[tokio::test]
async fn the_stream_of_a_missing_table_is_empty() {
    let dynamo = Arc::new(Dynamo::in_memory().unwrap());
    assert!(dynamo.stream("modbox").read_after(0, 10).unwrap().is_empty());
}

/// A create as the control plane makes it: a row, its name, its idempotency key.
fn create(number: usize) -> Value {
    let item = |key: String| json!({"pk": {"S": key}, "env": {"S": "x".repeat(200)}, "version": {"N": "1"}});
    let put = |key: String| {
        json!({"Put": {
            "TableName": "modbox", "Item": item(key), "ConditionExpression": "attribute_not_exists(pk)",
        }})
    };
    let keys = ["SANDBOX", "NAME", "IDEM"].map(|kind| put(format!("{kind}#{number}")));
    json!({"TransactItems": keys, "ClientRequestToken": format!("token-{number}")})
}

/// A database with its stream, consumed and trimmed as in production.
struct Consumed {
    dynamo: Arc<Dynamo>,
    stream: Stream,
    creates: usize,
}

impl Consumed {
    /// In memory, where no disk hides what a write costs.
    async fn new() -> Self {
        let (dynamo, _cloud, _client) = with_table(Dynamo::in_memory().unwrap()).await;
        let stream = dynamo.stream("modbox");
        Self { dynamo, stream, creates: 0 }
    }

    fn create(&mut self) -> Duration {
        let request = create(self.creates);
        let start = Instant::now();
        self.dynamo.call("TransactWriteItems", request).unwrap();
        let time = start.elapsed();
        self.creates += 1;
        if self.creates.is_multiple_of(10) {
            let records = self.stream.read_after(0, 1000).unwrap();
            assert_eq!(records.len(), 30, "nothing comes twice, nothing is missing");
            self.stream.trim_to(records[29].sequence).unwrap();
        }
        time
    }
}

/// The two are measured in turns, so that whatever else the machine does slows both.
#[tokio::test]
async fn ten_thousand_creates_slow_a_write_by_less_than_a_quarter() {
    let (mut old, mut new) = (Consumed::new().await, Consumed::new().await);
    for _ in 0..10_000 {
        old.create();
    }
    for _ in 0..500 {
        new.create();
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (last, first) = (0..500).map(|_| (old.create(), new.create())).unzip();
    let (last, first) = (median(last), median(first));
    assert!(last < first * 5 / 4, "a write took {first:?} at first and {last:?} at last");
}
