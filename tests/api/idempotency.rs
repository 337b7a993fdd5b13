//! `Idempotency-Key`: the same key and request answer with the same sandbox.

use std::time::Duration;

use futures::future::join_all;
use modbox_tests::{Client, Fault, World};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn keyed(client: &Client, key: &str) -> Client {
    client.with_header("idempotency-key", key)
}

async fn sandboxes(client: &Client) -> usize {
    client.get("/sandboxes").await.expect(200)["sandboxes"].as_array().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_repeated_create_repeats_the_whole_answer_with_200() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let body = json!({"task_id": "one", "ttl_seconds": 600, "env_vars": {"A": "1"}});
    let first = ann.post("/sandboxes", body.clone()).await.expect(201);
    world.settle().await;
    assert_eq!(ann.post("/sandboxes", body.clone()).await.expect(200), first);
    assert_eq!(ann.post("/sandboxes/provision", body).await.expect(200), first);
    assert_eq!(sandboxes(&ann).await, 1);
    world.settle().await;
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_callers_own_access_token_is_repeated_too() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let body = json!({"env_vars": {"SANDBOX_API_KEY": "own"}});
    let first = ann.post("/sandboxes", body.clone()).await.expect(201);
    world.settle().await;
    assert_eq!(first["endpoint"]["access_token"], "own");
    assert_eq!(ann.post("/sandboxes", body).await.expect(200), first);
}

#[tokio::test(start_paused = true)]
async fn one_request_may_be_written_in_two_ways() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let first =
        ann.post("/sandboxes", json!({"task_id": "one", "env_vars": {"A": "1", "B": "2"}})).await.expect(201);
    for same in [
        json!({"env_vars": {"B": "2", "A": "1", "C": null}, "task_id": "one", "ttl_seconds": null}),
        json!({"task_id": "one", "env_vars": {"A": "1", "B": "2"}, "unknown": 1}),
    ] {
        assert_eq!(ann.post("/sandboxes", same).await.expect(200), first);
    }
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_same_key_is_a_conflict() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let body = json!({"task_id": "one", "ttl_seconds": 600, "env_vars": {"A": "1"}});
    ann.post("/sandboxes", body.clone()).await.expect(201);
    let mut others = Vec::new();
    for (field, value) in [
        ("task_id", json!("two")),
        ("task_id", Value::Null),
        ("ttl_seconds", json!(601)),
        ("ttl_seconds", Value::Null),
        ("env_vars", json!({"A": "2"})),
        ("env_vars", json!({"A": "1", "SANDBOX_API_KEY": "x"})),
        ("image", json!("nginx")),
        ("client_reference", json!("r")),
    ] {
        let mut other = body.clone();
        other[field] = value;
        others.push(other);
    }
    let before = world.items();
    for other in others {
        let answer = ann.post("/sandboxes", other.clone()).await;
        answer.expect(409);
        assert_eq!(answer.code(), "conflict", "{other}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn users_do_not_share_their_keys() {
    let world = World::start().await;
    let (ann, bob) = (keyed(&world.user("ann").await, "k"), keyed(&world.user("bob").await, "k"));
    let hers = ann.create(json!({"task_id": "one"})).await;
    let his = bob.create(json!({"task_id": "one"})).await;
    assert_ne!(hers, his);
}

#[tokio::test(start_paused = true)]
async fn two_tokens_of_one_user_share_a_key() {
    let world = World::start().await;
    let (one, other) = (keyed(&world.user("ann").await, "k"), keyed(&world.user("ann").await, "k"));
    let first = one.post("/sandboxes", json!({})).await.expect(201);
    assert_eq!(other.post("/sandboxes", json!({})).await.expect(200), first);
}

#[tokio::test(start_paused = true)]
async fn a_key_does_not_outweigh_the_name_of_another_sandbox() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    let answer = keyed(&ann, "k").post("/sandboxes", json!({"task_id": "one"})).await;
    answer.expect(409);
    assert_eq!(answer.code(), "sandbox_name_conflict");
    // The refused request has not used the key up.
    ann.delete("/sandboxes/one").await.expect(200);
    keyed(&ann, "k").create(json!({"task_id": "one"})).await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_repeated_after_the_end_and_starts_nothing() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let first = ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(201);
    world.settle().await;
    ann.delete("/sandboxes/one").await.expect(200);
    world.settle().await;
    assert_eq!(ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(200), first);
    world.settle().await;
    assert_eq!(world.engine.started(), 1);
    assert_eq!(ann.detail("one").await["status"], "destroyed");
}

#[tokio::test(start_paused = true)]
async fn a_key_is_forgotten_after_24_hours_whether_or_not_it_was_swept() {
    for swept in [false, true] {
        let world = World::start().await;
        let ann = keyed(&world.user("ann").await, "k");
        let first = ann.create(json!({"ttl_seconds": 60})).await;
        world.pass(DAY - Duration::from_secs(1)).await;
        if swept {
            world.sweep_ttl().await;
        }
        let again = ann.post("/sandboxes", json!({"ttl_seconds": 60})).await.expect(200);
        assert_eq!(again["sandbox_id"], first);
        // The key's time is kept in whole seconds.
        world.pass(Duration::from_secs(3)).await;
        if swept {
            world.sweep_ttl().await;
        }
        let second = ann.create(json!({"ttl_seconds": 60})).await;
        assert_ne!(first, second);
        let again = ann.post("/sandboxes", json!({"ttl_seconds": 60})).await.expect(200);
        assert_eq!(again["sandbox_id"], second);
    }
}

/// All calls of the API take a while, so that requests are under way together.
fn slow_down(world: &World) {
    world.faults.set(
        |call| {
            if call.caller == "api" { Fault::Late(Duration::from_millis(20)) } else { Fault::None }
        },
    );
}

#[tokio::test(start_paused = true)]
async fn creates_at_the_same_instant_make_one_sandbox_and_get_one_answer() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    slow_down(&world);
    let create = || ann.post("/sandboxes", json!({"task_id": "one"}));
    let answers = join_all((0..20).map(|_| create())).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 19, "{statuses:?}");
    assert!(answers.iter().all(|answer| answer.json() == answers[0].json()));
    world.faults.clear();
    assert_eq!(sandboxes(&ann).await, 1);
    world.settle().await;
    assert_eq!(world.engine.started(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creates_on_several_threads_make_one_sandbox_and_get_one_answer() {
    let world = World::start().await;
    let ann = keyed(&world.user("ann").await, "k");
    let create = || {
        let ann = ann.clone();
        tokio::spawn(async move { ann.post("/sandboxes", json!({"task_id": "one"})).await })
    };
    let answers = join_all((0..20).map(|_| create())).await;
    let answers: Vec<Value> = answers
        .into_iter()
        .map(|answer| {
            let answer = answer.unwrap();
            assert!(answer.status.is_success(), "{}", answer.text());
            answer.json()
        })
        .collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(sandboxes(&ann).await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_answer_was_lost_is_found_again_by_its_retry() {
    for key in [None, Some("k")] {
        let world = World::start().await;
        let ann = world.user("ann").await;
        let client = key.map_or_else(|| ann.clone(), |key| keyed(&ann, key));
        world.faults.next(("api", "TransactWriteItems"), 1, Fault::lost());
        let answer = client.post("/sandboxes", json!({"task_id": "one"})).await;
        answer.expect(201);
        assert_eq!(sandboxes(&ann).await, 1);
    }
}
