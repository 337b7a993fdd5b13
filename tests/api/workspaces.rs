//! `X-Workspace-Id`, and realms.

use axum::http::Method;
use modbox_local::stack::TABLE;
use modbox_tests::{Client, World};
use serde_json::json;

use super::routes::{ALL, Guard};

const HEADER: &str = "x-workspace-id";
const NOBODYS: &str = "7e9b5a8e-1f6c-4d2a-9b3e-000000000000";

/// What each route of the users answers this caller for a sandbox of ann's, which is made anew for each.
async fn answers(world: &World, ann: &Client, caller: &Client) -> Vec<(Guard, u16, String)> {
    let mut answers = Vec::new();
    let guards = [Guard::User, Guard::Owner];
    for (n, route) in ALL.iter().filter(|route| guards.contains(&route.guard)).enumerate() {
        let name = format!("one-{n}");
        let id = ann.create(json!({"task_id": name})).await;
        world.settle().await;
        let before = world.items();
        let answer = route.call(caller, &id, &name).await;
        let ok = answer.status.is_success();
        assert!(ok || world.items() == before, "{route:?} changed something");
        let said = if ok { String::new() } else { format!("{} {}", answer.code(), answer.fields().concat()) };
        answers.push((route.guard, answer.status.as_u16(), said.trim().to_owned()));
    }
    answers
}

#[tokio::test(start_paused = true)]
async fn naming_ones_own_workspace_is_naming_none() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let own = world.workspace("ann").await;
    for spelling in [own.clone(), own.to_uppercase()] {
        let caller = ann.with_header(HEADER, &spelling);
        for (guard, status, said) in answers(&world, &ann, &caller).await {
            assert!(status < 300, "{spelling}: {guard:?}: {status} {said}");
        }
        for name in (0..ALL.len()).map(|n| format!("one-{n}")) {
            let _ = ann.delete(&format!("/sandboxes/{name}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_workspace_is_forbidden_and_holds_no_sandbox() {
    let world = World::start().await;
    let (ann, _) = (world.user("ann").await, world.user("bob").await);
    let bobs = world.workspace("bob").await;
    assert_ne!(bobs, world.workspace("ann").await);
    for foreign in [bobs.as_str(), NOBODYS] {
        for (guard, status, said) in answers(&world, &ann, &ann.with_header(HEADER, foreign)).await {
            let expected = match guard {
                Guard::Owner => (404, "sandbox_not_found"),
                _ => (403, "workspace_forbidden"),
            };
            assert_eq!((status, said.as_str()), expected, "{guard:?}");
        }
        for name in (0..ALL.len()).map(|n| format!("one-{n}")) {
            let _ = ann.delete(&format!("/sandboxes/{name}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_uuid_names_no_workspace() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (_, status, said) in answers(&world, &ann, &ann.with_header(HEADER, "default")).await {
        assert_eq!((status, said.as_str()), (422, "validation_error header.x-workspace-id"));
    }
    let own = world.workspace("ann").await;
    for value in
        [b"".to_vec(), b"\xff".to_vec(), format!("{own}, {own}").into_bytes(), own.as_bytes()[1..].to_vec()]
    {
        ann.with_header(HEADER, value).get("/sandboxes").await.expect(422);
    }
}

#[tokio::test(start_paused = true)]
async fn who_calls_is_asked_before_where() {
    let world = World::start().await;
    for value in ["default", NOBODYS] {
        let answer = world.guest().with_header(HEADER, value).get("/sandboxes").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "unauthenticated"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_is_in_no_workspace() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({})).await;
    world.settle().await;
    let sidecar = world.sidecar(&id).with_header(HEADER, "default");
    for route in ALL.iter().filter(|route| route.guard == Guard::Task) {
        route.call(&sidecar, &id, "").await.expect(200);
    }
}

/// As it was stored before there were workspaces: format 1, in no index, so that nobody could find it to revoke it.
#[tokio::test(start_paused = true)]
async fn a_token_older_than_workspaces_opens_nothing() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let items = world.items();
    let (_, token) = items.iter().find(|(key, _)| key.starts_with("TOKEN#")).unwrap();
    let mut token = token.as_object().unwrap().clone();
    for later in ["workspace", "owner", "created", "description"] {
        token.remove(later).unwrap();
    }
    token.insert("v".to_owned(), json!({"N": "1"}));
    world.stack.dynamo.call("PutItem", json!({"TableName": TABLE, "Item": token})).unwrap();

    let answer = ann.get("/sandboxes").await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_token"));
}

#[tokio::test(start_paused = true)]
async fn a_realm_needs_a_role_that_nobody_has() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for path in [
        "/sandboxes/realm/default",
        "/sandboxes/realm/a%20b?status=x",
        "/sandboxes?realm=default",
        "/sandboxes?realm=",
    ] {
        let answer = ann.get(path).await;
        answer.expect(403);
        assert_eq!(answer.code(), "insufficient_role", "{path}");
        assert_eq!(world.guest().get(path).await.code(), "unauthenticated", "{path}");
    }
    let elsewhere = ann.with_header(HEADER, NOBODYS).get("/sandboxes/realm/default").await;
    assert_eq!(elsewhere.code(), "insufficient_role", "the route belongs to no workspace");
    let posted = ann.request(Method::POST, "/sandboxes/realm/default").send().await;
    assert_eq!(posted.status.as_u16(), 405);
}
