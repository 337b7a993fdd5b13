//! EventBridge's PutEvents.

use aws_sdk_eventbridge::error::ProvideErrorMetadata as _;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use modbox_local::dynamo::Dynamo;
use serde_json::json;

use crate::world::{StandIns, client, stand_ins};

fn world() -> (StandIns, aws_sdk_eventbridge::Client) {
    let world = stand_ins(Dynamo::in_memory().unwrap());
    let client = client!(aws_sdk_eventbridge, world.cloud, "test");
    (world, client)
}

fn entry(detail: &str) -> PutEventsRequestEntry {
    PutEventsRequestEntry::builder()
        .source("modbox")
        .detail_type("Sandbox Running")
        .detail(detail)
        .event_bus_name("arn:aws:events:us-east-1:000000000000:event-bus/modbox")
        .build()
}

#[tokio::test]
async fn a_published_event_is_what_a_target_would_receive() {
    let (world, client) = world();
    let mut heard = world.bus.subscribe();
    let answer = client.put_events().entries(entry(r#"{"id":"1"}"#)).send().await.unwrap();

    assert_eq!(answer.failed_entry_count(), 0);
    let id = answer.entries()[0].event_id().unwrap();
    let expected = json!({
        "version": "0", "id": id, "detail-type": "Sandbox Running", "source": "modbox",
        "account": "000000000000", "time": "2027-01-15T08:00:00Z", "region": "us-east-1",
        "resources": [], "detail": {"id": "1"},
    });
    assert_eq!(world.bus.events("modbox"), std::slice::from_ref(&expected));
    assert!(world.bus.events("default").is_empty());
    assert_eq!(heard.recv().await.unwrap().event, expected);
}

#[tokio::test]
async fn a_bad_entry_fails_alone() {
    let (world, client) = world();
    let sourceless = PutEventsRequestEntry::builder().detail_type("x").detail("{}").build();
    let entries = [entry("{}"), entry("[1]"), entry("{"), sourceless];
    let answer = client.put_events().set_entries(Some(entries.into())).send().await.unwrap();

    let codes: Vec<_> = answer.entries().iter().map(|entry| entry.error_code()).collect();
    assert_eq!(codes, [None, Some("MalformedDetail"), Some("MalformedDetail"), Some("InvalidArgument")]);
    assert_eq!(answer.failed_entry_count(), 3);
    assert_eq!(world.bus.events("modbox").len(), 1);
}

#[tokio::test]
async fn too_many_entries_and_too_much_text_are_refused_whole() {
    let (world, client) = world();
    let eleven = vec![entry("{}"); 11];
    let refused = client.put_events().set_entries(Some(eleven)).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));

    let long = json!({"text": "x".repeat(256 * 1024)}).to_string();
    let refused = client.put_events().entries(entry(&long)).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("ValidationException"));
    assert!(world.bus.events("modbox").is_empty());
}

#[tokio::test]
async fn a_bus_keeps_its_newest_thousand_events() {
    let (world, client) = world();
    for batch in 0..101 {
        let entries = (0..10).map(|n| entry(&json!({"n": batch * 10 + n}).to_string())).collect();
        client.put_events().set_entries(Some(entries)).send().await.unwrap();
    }
    let kept = world.bus.events("modbox");
    assert_eq!(kept.len(), 1000);
    assert_eq!((&kept[0]["detail"]["n"], &kept[999]["detail"]["n"]), (&json!(10), &json!(1009)));
}
