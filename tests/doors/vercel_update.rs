//! What the door of Vercel Sandbox changes: timeouts and tags.

use std::time::Duration;

use modbox_tests::World;
use serde_json::json;

use super::vercel::{SANDBOXES, at, extend, is_sandbox, is_session, made, patch, refusal, session};

#[tokio::test(start_paused = true)]
async fn an_extension_is_added_and_a_plan_counts_from_the_creation() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({"timeout": 60_000})).await;
    let timeout = async || ann.get(&at(&name, "")).await.expect(200)["session"]["timeout"].as_u64().unwrap();
    // As long as it does not run, nobody but a plan lengthens it.
    let planned = patch(&ann, &name, json!({"timeout": 90_000})).await.expect(200);
    is_sandbox(&planned["sandbox"]);
    assert_eq!((&planned["sandbox"]["timeout"], &planned["routes"]), (&json!(90_000), &json!([])));
    world.settle().await;
    world.pass(Duration::from_secs(10)).await;

    let extended = extend(&ann, &id, 30_500).await.expect(200);
    is_session(&extended["session"]);
    assert_eq!((&extended["session"]["timeout"], timeout().await), (&json!(120_500), 120_500));
    // As one SDK lengthens it: the plan, then the rest of it. As the other does: the other way round.
    patch(&ann, &name, json!({"timeout": 200_000})).await.expect(200);
    extend(&ann, &id, 79_500).await.expect(200);
    assert_eq!(timeout().await, 200_000);
    extend(&ann, &id, 100_000).await.expect(200);
    let body = patch(&ann, &name, json!({"timeout": 300_000})).await.expect(200);
    assert_eq!((&body["sandbox"]["timeout"], timeout().await), (&json!(300_000), 300_000));
    // Shorter needs no more than a plan.
    patch(&ann, &name, json!({"timeout": 20_000})).await.expect(200);
    let row = world.row(&id).await.sandbox;
    assert_eq!(row.expires_at, Some(row.created_at + Duration::from_secs(20)));
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(ann.get(&at(&name, "")).await.expect(200)["session"]["status"], "stopped");
}

#[tokio::test(start_paused = true)]
async fn of_two_extensions_at_once_that_are_too_long_together_one_is_refused() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (_, id) = made(&ann, json!({"timeout": 3 * 3_600_000})).await;
    world.settle().await;
    let hours_20 = 20 * 3_600_000;
    let (one, other) = futures::join!(extend(&ann, &id, hours_20), extend(&ann, &id, hours_20));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{} {}", one.text(), other.text());
    let row = world.row(&id).await.sandbox;
    assert_eq!(row.expires_at, Some(row.created_at + Duration::from_secs(23 * 3600)));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_is_about_to_end_is_not_moved_away() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({"timeout": 20_000})).await;
    world.settle().await;
    world.pass(Duration::from_secs(16)).await;
    assert_eq!(refusal(&extend(&ann, &id, 60_000).await, 422).0, "sandbox_stopping");
    assert_eq!(ann.get(&at(&name, "")).await.expect(200)["session"]["status"], "running");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_none_may_have_is_refused_by_its_own_code() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({"timeout": 86_400_000})).await;
    world.settle().await;
    let before = world.items();
    for millis in [json!(0), json!(-1), json!(999), json!(86_400_001)] {
        for answer in [
            ann.post(SANDBOXES, json!({"timeout": millis})).await,
            patch(&ann, &name, json!({"timeout": millis})).await,
        ] {
            assert_eq!(refusal(&answer, 400).0, "sandbox_timeout_invalid", "{millis}");
        }
    }
    for body in
        [json!({}), json!({"duration": 0}), json!({"duration": 86_400_001}), json!({"duration": 1000})]
    {
        let answer = ann.post(&session(&id, "/extend-timeout"), body.clone()).await;
        assert_eq!(refusal(&answer, 400).0, "sandbox_timeout_invalid", "{body}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn tags_are_replaced() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, _) = made(&ann, json!({"tags": {"a": "1", "b": "2"}})).await;
    world.settle().await;
    for tags in [json!({"b": "3"}), json!({})] {
        assert_eq!(patch(&ann, &name, json!({"tags": tags})).await.expect(200)["sandbox"]["tags"], tags);
        assert_eq!(ann.get(&at(&name, "")).await.expect(200)["sandbox"]["tags"], tags);
    }
}

#[tokio::test(start_paused = true)]
async fn tags_are_replaced_before_a_timeout_that_is_over_ends_the_sandbox() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({"tags": {"a": "1"}})).await;
    world.settle().await;
    world.pass(Duration::from_secs(10)).await;
    let body = patch(&ann, &name, json!({"timeout": 5000, "tags": {"b": "2"}})).await.expect(200);
    assert_eq!(
        (&body["sandbox"]["tags"], &body["sandbox"]["status"]),
        (&json!({"b": "2"}), &json!("stopped"))
    );
    let shown = ann.get(&at(&name, "")).await.expect(200);
    assert_eq!(
        (&shown["sandbox"]["tags"], &shown["session"]["status"]),
        (&json!({"b": "2"}), &json!("stopped"))
    );
    // What is refused leaves the deadline as it is.
    let before = world.row(&id).await.sandbox.expires_at;
    refusal(&patch(&ann, &name, json!({"timeout": 60_000, "tags": {"c": "3"}})).await, 400);
    assert_eq!(world.row(&id).await.sandbox.expires_at, before);
}
