//! CloudWatch Logs, by the official SDK.

use std::sync::Arc;

use aws_sdk_cloudwatchlogs::{Client, operation::get_log_events::GetLogEventsOutput};
use modbox_local::{
    cloud::Cloud,
    ecs::{
        Said,
        simulated::{Script, Simulated},
    },
    logs::Logs,
};
use modbox_sandbox::Timestamp;

use crate::world::{Absent, Hand, client};

const STREAM: &str = "main/main/a1";

/// A client of the log group `modbox`, in which the main container of one task has said these lines, a second apart.
fn said(lines: &[&str]) -> (Client, Arc<Cloud>) {
    let engine = Simulated::new(|_| Script::default());
    for (second, text) in (0..).zip(lines) {
        let at = Timestamp::from_millis(second * 1_000);
        engine.say("a1", "main", Said { at, text: (*text).to_owned() });
    }
    let absent = || Arc::new(Absent);
    let logs = Logs::new("modbox", Arc::new(engine), Hand::at(1_800_000_000));
    let cloud = Cloud::new(absent(), absent(), absent(), absent(), Arc::new(logs));
    (client!(aws_sdk_cloudwatchlogs, cloud, "test"), cloud)
}

fn messages(page: &GetLogEventsOutput) -> Vec<&str> {
    page.events().iter().map(|event| event.message().unwrap()).collect()
}

#[tokio::test]
async fn the_newest_lines_come_in_their_order_and_the_older_by_token() {
    let (client, _cloud) = said(&["0", "1", "2", "3", "4"]);
    let call = || client.get_log_events().log_group_name("modbox").log_stream_name(STREAM).limit(2);
    let newest = call().send().await.unwrap();
    assert_eq!(messages(&newest), ["3", "4"]);
    assert_eq!(newest.events()[0].timestamp(), Some(3_000));
    let older = call().next_token(newest.next_backward_token().unwrap()).send().await.unwrap();
    assert_eq!(messages(&older), ["1", "2"]);
    let oldest = call().next_token(older.next_backward_token().unwrap()).send().await.unwrap();
    assert_eq!(messages(&oldest), ["0"]);
    let end = call().next_token(oldest.next_backward_token().unwrap()).send().await.unwrap();
    assert!(end.events().is_empty());
    assert_eq!(end.next_backward_token(), oldest.next_backward_token());
    // And forth again.
    let forth =
        call().next_token(older.next_forward_token().unwrap()).start_from_head(true).send().await.unwrap();
    assert_eq!(messages(&forth), ["3", "4"]);
}

#[tokio::test]
async fn a_range_begins_with_its_start_and_ends_before_its_end() {
    let (client, _cloud) = said(&["0", "1", "2", "3"]);
    let call = client.get_log_events().log_group_name("modbox").log_stream_name(STREAM).start_from_head(true);
    let page = call.start_time(1_000).end_time(3_000).send().await.unwrap();
    assert_eq!(messages(&page), ["1", "2"]);
}

#[tokio::test]
async fn an_empty_line_is_no_event() {
    let (client, _cloud) = said(&["a", "", "b"]);
    let page = client.get_log_events().log_group_name("modbox").log_stream_name(STREAM).send().await.unwrap();
    assert_eq!(messages(&page), ["a", "b"]);
}

#[tokio::test]
async fn a_group_or_a_stream_that_is_not_there_is_not_found() {
    let (client, _cloud) = said(&["a"]);
    for (group, stream) in [
        ("other", STREAM),
        ("modbox", "main/main/b2"),
        ("modbox", "main/ready/a1"),
        ("modbox", "ready/main/a1"),
        ("modbox", "main"),
        ("modbox", "main/main/a1/x"),
    ] {
        let answer = client.get_log_events().log_group_name(group).log_stream_name(stream).send().await;
        let error = answer.unwrap_err().into_service_error();
        assert!(error.is_resource_not_found_exception(), "{group} {stream}: {error}");
    }
}

#[tokio::test]
async fn a_limit_or_token_that_is_none_is_refused() {
    let (client, _cloud) = said(&["a"]);
    let call = || client.get_log_events().log_group_name("modbox").log_stream_name(STREAM);
    for call in [call().limit(0), call().limit(10_001), call().next_token("x"), call().next_token("f/-1")] {
        let error = call.send().await.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{error}");
    }
}
