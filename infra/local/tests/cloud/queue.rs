//! SQS as a dead-letter queue.

use std::time::Duration;

use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use modbox_local::dynamo::Dynamo;
use modbox_local::queue::url;

use crate::world::{StandIns, client, stand_ins};

fn world() -> (StandIns, aws_sdk_sqs::Client) {
    let world = stand_ins(Dynamo::in_memory().unwrap());
    let client = client!(aws_sdk_sqs, world.cloud, "test");
    (world, client)
}

#[tokio::test]
async fn a_message_is_kept_and_its_sum_is_right() {
    let (world, client) = world();
    let sent = client.send_message().queue_url(url("dead")).message_body("abc").send().await.unwrap();

    assert_eq!(sent.md5_of_message_body(), Some("900150983cd24fb0d6963f7d28e17f72"));
    let messages = world.queue.messages(&url("dead"));
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].body.as_str(), Some(messages[0].id.as_str())), ("abc", sent.message_id()));
    assert!(world.queue.messages(&url("other")).is_empty());
}

#[tokio::test]
async fn a_received_message_is_hidden_until_its_timeout_and_gone_once_deleted() {
    let (world, client) = world();
    let queue = client.get_queue_url().queue_name("dead").send().await.unwrap();
    let queue = queue.queue_url().unwrap();
    client.send_message().queue_url(queue).message_body("abc").send().await.unwrap();
    let receive = || async {
        let answer = client.receive_message().queue_url(queue).send().await.unwrap();
        answer.messages().to_vec()
    };

    assert_eq!(receive().await[0].body(), Some("abc"));
    assert!(receive().await.is_empty());
    world.clock.turn(Duration::from_secs(30));
    let again = receive().await;
    let handle = again[0].receipt_handle().unwrap();
    client.delete_message().queue_url(queue).receipt_handle(handle).send().await.unwrap();
    world.clock.turn(Duration::from_secs(30));
    assert!(receive().await.is_empty());
}

#[tokio::test]
async fn the_newest_thousand_messages_are_kept() {
    let (world, client) = world();
    for n in 0..1001 {
        client.send_message().queue_url(url("dead")).message_body(n.to_string()).send().await.unwrap();
    }
    let messages = world.queue.messages(&url("dead"));
    assert_eq!(messages.len(), 1000);
    assert_eq!((messages[0].body.as_str(), messages[999].body.as_str()), ("1", "1000"));
}

#[tokio::test]
async fn an_empty_message_is_refused() {
    let (world, client) = world();
    let refused = client.send_message().queue_url(url("dead")).message_body("").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidParameterValue"));
    assert!(world.queue.messages(&url("dead")).is_empty());
}
