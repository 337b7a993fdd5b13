//! `task_id`: unique among a user's live sandboxes, free again when one ends.

use std::time::Duration;

use futures::future::join_all;
use modbox_local::stack::TABLE;
use modbox_tests::{Client, Fault, World};
use serde_json::json;

async fn is_taken(client: &Client) -> bool {
    let answer = client.post("/sandboxes", json!({"task_id": "one"})).await;
    match answer.status.as_u16() {
        201 => false,
        409 => {
            assert_eq!(answer.code(), "sandbox_name_conflict");
            true
        }
        status => panic!("{status}: {}", answer.text()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_live_name_is_taken_and_a_refused_create_leaves_no_trace() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    let before = world.items();
    assert!(is_taken(&ann).await);
    assert_eq!(world.items(), before);
    world.settle().await;
    assert!(is_taken(&ann).await);
}

#[tokio::test(start_paused = true)]
async fn users_do_not_share_their_names() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let hers = ann.create(json!({"task_id": "one"})).await;
    let his = bob.create(json!({"task_id": "one"})).await;
    assert_eq!(ann.detail("one").await["id"], hers);
    assert_eq!(bob.detail("one").await["id"], his);
}

#[tokio::test(start_paused = true)]
async fn of_creates_at_the_same_instant_exactly_one_wins() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.faults.set(
        |call| {
            if call.caller == "api" { Fault::Late(Duration::from_millis(20)) } else { Fault::None }
        },
    );
    let taken = join_all((0..20).map(|_| is_taken(&ann))).await;
    assert_eq!(taken.iter().filter(|taken| !**taken).count(), 1);
    world.faults.clear();
    assert_eq!(ann.get("/sandboxes").await.expect(200)["total"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_creates_on_several_threads_exactly_one_wins() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let create = || {
        let ann = ann.clone();
        tokio::spawn(async move { is_taken(&ann).await })
    };
    let taken = join_all((0..20).map(|_| create())).await;
    assert_eq!(taken.into_iter().filter(|taken| !*taken.as_ref().unwrap()).count(), 1);
    assert_eq!(ann.get("/sandboxes").await.expect(200)["total"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_create_outlasts_a_transaction_over_the_same_name() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let key = json!({"pk": {"S": "NAME#ann#one"}, "sk": {"S": "NAME#ann#one"}});
    let held = world.stack.dynamo.hold(TABLE, &[key]);
    let release = async {
        world.pass(Duration::from_millis(30)).await;
        drop(held);
    };
    let (taken, ()) = futures::join!(is_taken(&ann), release);
    assert!(!taken);
    let tries = world.calls()[&("api".to_owned(), "TransactWriteItems".to_owned())];
    assert!(tries > 1, "it met the other transaction");
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_sandbox_gives_its_name_back_at_once() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for _ in 0..3 {
        assert!(!is_taken(&ann).await);
        world.settle().await;
        assert!(is_taken(&ann).await);
        ann.delete("/sandboxes/one").await.expect(200);
    }
}

#[tokio::test(start_paused = true)]
async fn an_expired_sandbox_gives_its_name_back_before_it_is_swept() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let old = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    let left = world.row(&old).await.sandbox.expires_at.unwrap().since(world.now());
    world.pass(left - Duration::from_millis(1)).await;
    assert!(is_taken(&ann).await);
    world.pass(Duration::from_millis(1)).await;
    let new = ann.create(json!({"task_id": "one"})).await;
    assert_eq!(ann.detail("one").await["id"], new);
}

#[tokio::test(start_paused = true)]
async fn the_sweep_of_an_expired_sandbox_leaves_the_name_with_its_next_holder() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let old = ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    let new = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    world.tick().await;
    assert_eq!(world.engine.running().len(), 1);
    assert_eq!(ann.detail(&old).await["reason"], "expired");
    assert_eq!(ann.detail("one").await["id"], new);
    assert!(is_taken(&ann).await);
}

#[tokio::test(start_paused = true)]
async fn an_expired_sandbox_that_was_swept_gave_its_name_back() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one", "ttl_seconds": 60})).await;
    world.settle().await;
    world.pass(Duration::from_secs(60)).await;
    world.tick().await;
    assert!(!is_taken(&ann).await);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_dies_gives_the_name_back() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    assert!(world.engine.end(&world.engine.running()[0], "main", 3));
    world.settle().await;
    assert_eq!(ann.detail("one").await["reason"], "exited with code 3");
    assert!(!is_taken(&ann).await);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_without_a_name_never_conflicts() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ids = [ann.create(json!({})).await, ann.create(json!({})).await];
    for id in ids {
        assert_eq!(ann.detail(&format!("sandbox-{id}")).await["id"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn names_that_look_alike_differ() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for name in ["one", "One", "one ", " one", "one#", "%6Fne", "öne", "o\u{308}ne"] {
        ann.create(json!({"task_id": name})).await;
    }
}
