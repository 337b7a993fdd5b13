//! What holds at every door.

use modbox_tests::{Client, World};
use serde_json::json;

use super::DOORS;

/// Calls every route of every door for a sandbox of ann's, by id and by name; it must be refused and change nothing.
async fn sweep(world: &World, caller: &Client, is_right: impl Fn(&str, bool, u16) -> bool) {
    let ann = world.user("ann").await;
    ann.post("/sandboxes/destroy", json!({"task_id": "hers"})).await;
    let id = ann.create(json!({"task_id": "hers"})).await;
    world.settle().await;
    for door in &DOORS {
        for route in door.guarded() {
            for sandbox in [id.as_str(), "hers"] {
                // What the caller has just created of its own takes its course.
                world.settle().await;
                let before = world.items();
                let answer = route.call(caller, sandbox).await;
                let status = answer.status.as_u16();
                assert!(
                    is_right(&route.path, route.names_a_sandbox(), status),
                    "{route:?}: {}",
                    answer.text()
                );
                if route.names_a_sandbox() || status == 401 {
                    assert_eq!(world.items(), before, "{route:?} changed something");
                }
                assert!(answer.header("x-request-id").is_some(), "{route:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_token_every_route_is_closed() {
    let world = World::start().await;
    for caller in [
        world.guest(),
        world.guest().with_token("mbx_nobody"),
        world.guest().with_header("x-api-key", "mbx_nobody"),
        world.guest().with_header("x-api-key", ""),
        world.guest().with_header("authorization", "Basic bWJ4Og=="),
    ] {
        sweep(&world, &caller, |_, _, status| status == 401).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_opens_nothing() {
    let world = World::start().await;
    world.user("ann").await;
    let made = world.stack.admin.create_token("ann", None, None).await.unwrap();
    world.stack.admin.revoke_token(made.token.hash.id()).await.unwrap();
    sweep(&world, &world.guest().with_token(&made.text), |_, _, status| status == 401).await;
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_sandbox_is_not_there() {
    let world = World::start().await;
    let bob = world.user("bob").await;
    // A body that lacks something is told before whose sandbox it is.
    sweep(&world, &bob, |_, of_one, status| !of_one || matches!(status, 400 | 404)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_no_route_is_answered_in_the_form_of_its_door() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for door in &DOORS {
        let unknown = ann.get(&format!("{}/no/such/route", door.prefix)).await;
        let native = ann.get("/no/such/route").await.expect(404);
        let body = unknown.expect(404);
        assert!(native["detail"].is_string() && body.get("detail").is_none(), "{body}");
        let method = ann.request(axum::http::Method::TRACE, &door.guarded()[0].path).send().await;
        assert_eq!(method.status.as_u16(), 405, "{}", method.text());
        assert!(method.header("allow").is_some());
    }
}
