//! Rule 2: throttling is waiting, not failing; and what is wrong with one row holds no other up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use modbox_tests::{Fault, World};
use serde_json::json;

use super::{create, running, status};

#[tokio::test(start_paused = true)]
async fn a_throttled_launch_waits_and_keeps_its_attempt() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.next(("launcher", "RunTask"), 40, Fault::throttled());
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(status(&ann, &id).await, "provisioning");
    assert_eq!(world.items()[&format!("SANDBOX#{id}")]["attempt"]["N"], "1");
    world.pass(Duration::from_secs(180)).await;
    assert_eq!(status(&ann, &id).await, "running");
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_never_gets_through_fails_at_its_time_limit() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(|call| if call.operation == "RunTask" { Fault::down() } else { Fault::None });
    let id = create(&ann, "web").await;
    world.pass(Duration::from_secs(5 * 60 + 1)).await;
    world.tick().await;
    let waited = ann.post("/sandboxes/wait", json!({"task_id": "web"})).await.expect(200);
    assert_eq!(waited["reason"], "failed: no task was started within 300 seconds");
    assert_eq!(status(&ann, &id).await, "destroyed");
    world.faults.clear();
    world.pass(Duration::from_secs(60)).await;
    assert_eq!(world.engine.started(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_of_launches_does_not_delay_a_destroy() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = running(&world, &ann, "web").await;
    world.faults.set(|call| if call.operation == "RunTask" { Fault::throttled() } else { Fault::None });
    for _ in 0..60 {
        ann.post("/sandboxes", json!({})).await.expect(201);
    }
    ann.delete(&format!("/sandboxes/{id}")).await.expect(200);
    world.pass(Duration::from_millis(500)).await;
    assert!(world.engine.running().is_empty(), "the destroy waits behind the launches");
}

#[tokio::test(start_paused = true)]
async fn an_item_that_cannot_be_read_goes_to_the_dead_letters_and_holds_nothing_up() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let key = "SANDBOX#00000000-0000-4000-8000-000000000001";
    let item = json!({
        "pk": {"S": key}, "sk": {"S": key}, "v": {"N": "1"}, "wants": {"S": "task"}, "live": {"S": "ann"},
        "created": {"S": "1"}, "attention": {"S": "ATTENTION#1"}, "look_at": {"N": "1"},
    });
    world.stack.dynamo.call("PutItem", json!({"TableName": "modbox", "Item": item})).unwrap();
    running(&world, &ann, "web").await;
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].body.contains(key), "{letters:?}");
    // The schedule meets it as well, once.
    world.pass(Duration::from_secs(1)).await;
    world.tick().await;
    assert_eq!(world.dead_letters().len(), 2);
    world.tick().await;
    assert_eq!(world.dead_letters().len(), 2);
    assert_eq!(ann.get("/sandboxes").await.expect(200)["total"], 1);
}

#[tokio::test(start_paused = true)]
async fn within_a_batch_about_ten_launches_are_under_way() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    // Launches hang until they are given up, so those under way can be counted; four shards deliver at once.
    let under_way = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&under_way);
    world.faults.set(move |call| {
        if call.operation != "RunTask" {
            return Fault::None;
        }
        count.fetch_add(1, Ordering::Relaxed);
        Fault::Hangs
    });
    for _ in 0..200 {
        ann.post("/sandboxes", json!({})).await.expect(201);
    }
    world.pass(Duration::from_millis(500)).await;
    let under_way = under_way.load(Ordering::Relaxed);
    assert!((10..=40).contains(&under_way), "{under_way}");
}
