//! Who may do what.

use std::time::Duration;

use modbox_tests::{Client, World};
use serde_json::json;

use super::routes::{ALL, Guard};

/// An id that no sandbox has.
const NEVER_WAS: &str = "7e9b5a8e-1f6c-4d2a-9b3e-000000000000";

/// What each route answers this caller, for a sandbox of ann's.
async fn sweep(world: &World, caller: &Client) -> Vec<(String, u16, String)> {
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "hers"})).await;
    world.settle().await;
    let mut answers = Vec::new();
    for route in ALL.iter().filter(|route| route.guard != Guard::Open) {
        let before = world.items();
        let answer = route.call(caller, &id, "hers").await;
        let code = if answer.status.is_success() { String::new() } else { answer.code() };
        answers.push((route.path.clone(), answer.status.as_u16(), code));
        if answer.status.is_success() {
            world.settle().await;
        } else {
            assert_eq!(world.items(), before, "{route:?} changed something");
        }
    }
    answers
}

async fn is_refused_everywhere(world: &World, caller: &Client, code: &str) {
    for (path, status, said) in sweep(world, caller).await {
        // What a task may do, it may do by its own token alone: it is not asked whose or how old another is.
        let task = path.ends_with("/deadline") || path.ends_with("/ready");
        let expected = if task && code != "unauthenticated" { "invalid_token" } else { code };
        assert_eq!((status, said.as_str()), (401, expected), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_every_route_is_closed() {
    let world = World::start().await;
    is_refused_everywhere(&world, &world.guest(), "unauthenticated").await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_would_be_let_in() {
    let world = World::start().await;
    for (caller, challenge) in [
        (world.guest(), "Bearer"),
        (world.guest().with_header("authorization", "Basic bWJ4Og=="), "Bearer"),
        (world.guest().with_token("mbx_nobody"), r#"Bearer error="invalid_token""#),
    ] {
        let answer = caller.get("/sandboxes").await;
        answer.expect(401);
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
    }
    let ann = world.user("ann").await;
    assert_eq!(ann.get("/sandboxes/nobody").await.header("www-authenticate"), None);
}

#[tokio::test(start_paused = true)]
async fn another_scheme_or_an_empty_token_is_none() {
    let world = World::start().await;
    for value in ["Basic bWJ4Og==", "Bearer", "Bearer ", "mbx_1", "", "Bearer\tmbx_1"] {
        let answer = world.guest().with_header("authorization", value).get("/sandboxes").await;
        answer.expect(401);
        assert_eq!(answer.code(), "unauthenticated", "{value:?}");
    }
    let bytes = world.guest().with_header("authorization", b"Bearer \xff\xfe").get("/sandboxes").await;
    bytes.expect(401);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_token_is_not_valid_anywhere() {
    let world = World::start().await;
    is_refused_everywhere(&world, &world.guest().with_token("mbx_nobody"), "invalid_token").await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_an_api_token_is_refused_without_a_look() {
    let world = World::start().await;
    let caller = world.guest().with_token("eyJhbGciOiJIUzI1NiJ9.e30.x");
    let (answer, calls) = world.counting("api", caller.get("/sandboxes")).await;
    answer.expect(401);
    assert_eq!(answer.code(), "invalid_token");
    assert!(calls.is_empty(), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_opens_nothing() {
    let world = World::start().await;
    world.user("ann").await;
    let made = world.stack.admin.create_token("ann", None, None).await.unwrap();
    let ann = world.guest().with_token(&made.text);
    ann.get("/sandboxes").await.expect(200);
    world.stack.admin.revoke_token(made.token.hash.id()).await.unwrap();
    is_refused_everywhere(&world, &ann, "token_revoked").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_opens_until_the_moment_it_expires() {
    let world = World::start().await;
    let ann = world.user_for("ann", Duration::from_secs(60)).await;
    world.pass(Duration::from_millis(59_999)).await;
    ann.get("/sandboxes").await.expect(200);
    world.pass(Duration::from_millis(1)).await;
    assert_eq!(ann.get("/sandboxes").await.code(), "token_expired");
    is_refused_everywhere(&world, &ann, "token_expired").await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_read_whatever_the_case_of_its_scheme() {
    let world = World::start().await;
    let ann = world.user_for("ann", Duration::from_secs(60)).await;
    ann.get("/sandboxes").await.expect(200);
    let token = "mbx_spelt";
    world.stack.admit("ann", token).await.unwrap();
    for value in [format!("bearer {token}"), format!("BEARER  {token} ")] {
        world.guest().with_header("authorization", value).get("/sandboxes").await.expect(200);
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_sandbox_is_not_there() {
    let world = World::start().await;
    let bob = world.user("bob").await;
    let by_owner: Vec<_> = ALL.iter().filter(|route| route.guard == Guard::Owner).map(|r| &r.path).collect();
    assert!(by_owner.len() >= 10, "{by_owner:?}");
    for (path, status, code) in sweep(&world, &bob).await {
        if by_owner.contains(&&path) {
            assert_eq!((status, code.as_str()), (404, "sandbox_not_found"), "{path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_sandbox_answers_as_one_that_never_was() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let id = ann.create(json!({"task_id": "hers"})).await;
    world.settle().await;
    for (guard, status) in [(Guard::Owner, 404), (Guard::Task, 401)] {
        for route in ALL.iter().filter(|route| route.guard == guard) {
            let mut foreign = route.call(&bob, &id, "hers").await.expect(status);
            let mut absent = route.call(&bob, NEVER_WAS, "nobody").await.expect(status);
            for body in [&mut foreign, &mut absent] {
                body["error"]["request_id"].take();
            }
            assert_eq!(foreign, absent, "{route:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_do_not_rest_readable_in_the_table() {
    let world = World::start().await;
    world.stack.admit("ann", "mbx_hunter2").await.unwrap();
    assert!(!format!("{:?}", world.items()).contains("hunter2"));
}
