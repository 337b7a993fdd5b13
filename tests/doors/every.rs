//! What holds at every door.

use std::time::Duration;

use axum::http::Method;
use modbox_local::ecs::StartError;
use modbox_tests::{Client, Script, Start, World};
use serde_json::{Value, json};

use super::{DOORS, Door};

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
        let method = ann.request(Method::TRACE, &door.guarded()[0].path).send().await;
        assert_eq!(method.status.as_u16(), 405, "{}", method.text());
        assert!(method.header("allow").is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_names_the_field_that_the_door_has() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let before = world.items();
    let env = json!({"A": "x".repeat(9000)});
    for (path, body, field) in [
        ("/sandboxes", json!({"env_vars": env}), "env_vars"),
        ("/daytona/sandbox", json!({"env": env}), "env"),
        ("/hopx/v1/sandboxes", json!({"env_vars": env, "template_id": 1}), "env_vars"),
        ("/vercel/api/v2/sandboxes", json!({"env": env}), "env"),
        ("/vercel/api/v3/sandboxes", json!({"env": env}), "env"),
    ] {
        let answer = ann.post(path, body).await;
        assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.text());
        let text = answer.text();
        assert!(text.contains("together the variables are larger"), "{text}");
        assert_eq!(text.contains("env_vars"), field == "env_vars", "{path}: {text}");
        assert!(text.contains(field), "{path}: {text}");
    }
    assert_eq!(world.items(), before);
}

/// Every way in which somebody may end a sandbox: below which path, and whether it is named by its id.
const ENDS: [(Method, &str); 10] = [
    (Method::DELETE, "/sandboxes/{}"),
    (Method::POST, "/sandboxes/{}/kill"),
    (Method::DELETE, "/hopx/v1/sandboxes/{}"),
    (Method::POST, "/hopx/v1/sandboxes/{}/kill"),
    (Method::DELETE, "/daytona/sandbox/{}"),
    (Method::POST, "/daytona/sandbox/{}/stop"),
    (Method::POST, "/daytona/sandbox/{}/stop?force=true"),
    (Method::POST, "/vercel/api/v2/sandboxes/sessions/{}/stop"),
    (Method::DELETE, "/vercel/api/v2/sandboxes/one"),
    // Nobody: its time is over.
    (Method::GET, ""),
];

/// Whether the answer shows any sandbox as one that lives, in the words of any door.
fn shows_life(value: &Value) -> bool {
    const LIVE: [&str; 5] = ["provisioning", "creating", "pending", "running", "started"];
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| match value.as_str() {
            Some(text) => (name == "status" || name == "state") && LIVE.contains(&text),
            None => shows_life(value),
        }),
        Value::Array(values) => values.iter().any(shows_life),
        _ => false,
    }
}

/// The reads that show a sandbox of the caller's as one that lives: of this one by id and by name, and all lists.
async fn reads_that_show_life(caller: &Client, id: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/sandboxes",
        "/sandboxes?status=running",
        "/sandboxes?status=provisioning",
        "/daytona/sandbox?states=creating&states=started",
        "/daytona/sandbox?states=destroying&states=destroyed&states=error",
        "/hopx/v1/sandboxes?status=running",
        "/vercel/api/v2/sandboxes?sortBy=name",
        "/vercel/api/v2/sandboxes/sessions?name=one",
    ]
    .map(ToOwned::to_owned)
    .into();
    for sandbox in [id, "one"] {
        paths.extend(["", "/status"].map(|rest| format!("/sandboxes/{sandbox}{rest}")));
        paths.push(format!("/sandboxes/detail/{sandbox}"));
        for route in DOORS.iter().flat_map(Door::guarded) {
            paths.extend(route.to_read(sandbox));
        }
    }
    let mut found = Vec::new();
    for path in paths {
        let answer = caller.get(&path).await;
        assert!(matches!(answer.status.as_u16(), 200 | 404 | 409), "{path}: {}", answer.text());
        if answer.status == 200 && shows_life(&answer.json()) {
            found.push(path);
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn what_has_ended_at_one_door_lives_at_none() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (method, path) in ENDS {
        for has_a_task in [false, true] {
            let expires = if path.is_empty() { json!(60) } else { json!(null) };
            let id = ann.create(json!({"task_id": "one", "ttl_seconds": expires})).await;
            if has_a_task {
                world.settle().await;
            }
            let living = reads_that_show_life(&ann, &id).await;
            for door in ["/sandboxes", "/daytona", "/hopx", "/vercel"] {
                let count = living.iter().filter(|path| path.starts_with(door)).count();
                assert!(count >= 2, "{door} shows what lives nowhere: {living:?}");
            }
            match path {
                "" => world.pass(Duration::from_secs(60)).await,
                path => {
                    let answer = ann.request(method.clone(), &path.replace("{}", &id)).send().await;
                    answer.expect(200);
                }
            }
            for _ in 0..2 {
                assert_eq!(reads_that_show_life(&ann, &id).await, [""; 0], "after {method} {path}");
                world.settle().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_changed_by_no_door_that_does_not_find_it() {
    let world = World::build()
        .script(|launch| match launch.containers.iter().any(|one| one.image.contains("nowhere")) {
            true => Script::default().start(Start::Fails(StartError::new("no such image"))),
            false => Script::default().exit("ready", Duration::from_millis(5), 0),
        })
        .start()
        .await;
    let ann = world.user("ann").await;
    let stopped = ann.create(json!({"task_id": "stopped"})).await;
    let expired = ann.create(json!({"task_id": "expired", "ttl_seconds": 60})).await;
    let failed = ann.create(json!({"task_id": "failed", "image": "nowhere/nothing:1"})).await;
    world.settle().await;
    ann.post(&format!("/vercel/api/v2/sandboxes/sessions/{stopped}/stop"), json!({})).await.expect(200);
    world.pass(Duration::from_secs(60)).await;
    world.settle().await;
    let vercel = async |name: &str| {
        let shown = ann.get(&format!("/vercel/api/v2/sandboxes/{name}")).await.expect(200);
        shown["session"]["status"].as_str().unwrap().to_owned()
    };
    for (id, name, status, is_shown) in [
        (&stopped, "stopped", "stopped", false),
        (&expired, "expired", "stopped", false),
        (&failed, "failed", "failed", true),
    ] {
        assert_eq!(vercel(name).await, status);
        let before = world.items();
        for (method, path) in ENDS
            .iter()
            .filter(|(_, path)| path.starts_with("/hopx") || (path.starts_with("/daytona") && !is_shown))
        {
            let answer = ann.request(method.clone(), &path.replace("{}", id)).send().await;
            // While its task ends, one of the doors says so.
            assert!(matches!(answer.status.as_u16(), 404 | 409), "{method} {path}: {}", answer.text());
        }
        assert_eq!(world.items(), before, "{name}");
        assert_eq!(vercel(name).await, status);
    }
    // Where it is found, it goes at every door.
    assert_eq!(ann.get(&format!("/daytona/sandbox/{failed}")).await.expect(200)["state"], "error");
    ann.delete(&format!("/daytona/sandbox/{failed}")).await.expect(200);
    ann.delete("/vercel/api/v2/sandboxes/stopped").await.expect(200);
    for name in ["failed", "stopped"] {
        let gone = ann.get(&format!("/vercel/api/v2/sandboxes/{name}")).await;
        assert_eq!(gone.status, 404, "{}", gone.text());
    }
}
