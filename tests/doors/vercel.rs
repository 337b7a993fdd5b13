//! The door of Vercel Sandbox, as its page and its SDKs' schemas describe it.

use std::time::Duration;

use axum::http::Method;
use modbox_tests::{Answer, Client, Script, World};
use serde_json::{Value, json};

use super::{calls_of, deletes_at_once};

pub(super) const SANDBOXES: &str = "/vercel/api/v2/sandboxes";
const MINUTES_5: u64 = 300_000;

pub(super) fn at(name: &str, rest: &str) -> String {
    format!("{SANDBOXES}/{name}{rest}")
}

fn session(id: &str, rest: &str) -> String {
    at("sessions", &format!("/{id}{rest}"))
}

async fn create(client: &Client, body: Value) -> Value {
    client.post("/vercel/api/v3/sandboxes", body).await.expect(200)
}

/// A name and the id that goes with it.
pub(super) async fn made(client: &Client, body: Value) -> (String, String) {
    let made = create(client, body).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["sandbox"]["name"]), text(&made["session"]["id"]))
}

async fn patch(client: &Client, name: &str, body: Value) -> Answer {
    client.request(Method::PATCH, &at(name, "")).json(&body).send().await
}

async fn extend(client: &Client, id: &str, millis: u64) -> Answer {
    client.post(&session(id, "/extend-timeout"), json!({"duration": millis})).await
}

/// The body of a refusal: a code and a message, and no other.
#[track_caller]
pub(super) fn refusal(answer: &Answer, status: u16) -> (String, String) {
    let body = answer.expect(status);
    let text = |name: &str| body["error"][name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    assert_eq!(body["error"].as_object().unwrap().len(), 2, "{body}");
    (text("code"), text("message"))
}

#[track_caller]
fn is_not_found(answer: &Answer) {
    assert_eq!(refusal(answer, 404), ("not_found".to_owned(), "Sandbox not found.".to_owned()));
}

type Types<'a> = &'a [(&'a str, bool, fn(&Value) -> bool)];

/// Holds an object against a schema: fields, whether they must be there, and what they may be. No other is there.
#[track_caller]
fn has(body: &Value, types: Types<'_>) {
    for (name, required, is_right) in types {
        match body.get(*name) {
            Some(value) => assert!(is_right(value), "{name}: {body}"),
            None => assert!(!required, "{name} is missing: {body}"),
        }
    }
    for key in body.as_object().unwrap().keys() {
        assert!(types.iter().any(|(name, ..)| name == key), "{key}: {body}");
    }
}

fn is_open(policy: &Value) -> bool {
    *policy == json!({"mode": "allow-all"})
}

fn are_texts(map: &Value) -> bool {
    map.as_object().is_some_and(|map| map.values().all(Value::is_string))
}

fn is_millis(value: &Value) -> bool {
    value.as_u64().is_some_and(|millis| millis > 1_000_000_000_000)
}

/// The sandbox of the page (seeds/004), with `pending`, `image` and `expiresAt`, which the SDKs' schemas know beside it.
#[track_caller]
pub(super) fn is_sandbox(body: &Value) {
    has(
        body,
        &[
            ("name", true, Value::is_string),
            ("currentSessionId", true, Value::is_string),
            ("status", true, |value| ["pending", "running", "stopped"].iter().any(|one| value == one)),
            ("statusUpdatedAt", true, is_millis),
            ("persistent", true, |value| *value == json!(false)),
            ("region", true, Value::is_string),
            ("vcpus", true, Value::is_u64),
            ("memory", true, Value::is_u64),
            ("image", true, Value::is_string),
            ("timeout", false, Value::is_u64),
            ("expiresAt", false, is_millis),
            ("networkPolicy", true, is_open),
            ("cwd", true, Value::is_string),
            ("tags", true, are_texts),
            ("createdAt", true, is_millis),
            ("updatedAt", true, is_millis),
        ],
    );
}

#[track_caller]
pub(super) fn is_session(body: &Value) {
    has(
        body,
        &[
            ("id", true, Value::is_string),
            ("sourceSandboxName", true, Value::is_string),
            ("status", true, |value| {
                ["pending", "running", "stopped", "failed", "aborted"].iter().any(|one| value == one)
            }),
            ("region", true, Value::is_string),
            ("vcpus", true, Value::is_u64),
            ("memory", true, Value::is_u64),
            ("timeout", true, Value::is_u64),
            ("networkPolicy", true, is_open),
            ("cwd", true, Value::is_string),
            ("requestedAt", true, is_millis),
            ("requestedStopAt", false, is_millis),
            ("stoppedAt", false, is_millis),
            ("abortedAt", false, is_millis),
            ("createdAt", true, is_millis),
            ("updatedAt", true, is_millis),
        ],
    );
}

#[track_caller]
fn is_whole(body: &Value) {
    has(
        body,
        &[("sandbox", true, |_| true), ("session", true, |_| true), ("routes", true, |v| *v == json!([]))],
    );
    is_sandbox(&body["sandbox"]);
    is_session(&body["session"]);
    assert_eq!(body["sandbox"]["currentSessionId"], body["session"]["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_is_created_and_shown_until_it_is_deleted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let made = create(&ann, json!({"projectId": "prj", "name": "one", "tags": {"of": "ann"}})).await;
    is_whole(&made);
    assert_eq!(
        (&made["sandbox"]["status"], &made["session"]["status"]),
        (&json!("pending"), &json!("pending"))
    );
    assert_eq!((&made["sandbox"]["name"], &made["sandbox"]["tags"]), (&json!("one"), &json!({"of": "ann"})));
    assert_eq!(made["sandbox"]["timeout"], json!(MINUTES_5), "as the vendor documents it");
    world.settle().await;

    let shown = ann.get(&at("one", "?projectId=prj&teamId=team")).await.expect(200);
    is_whole(&shown);
    assert_eq!(
        (&shown["sandbox"]["status"], &shown["session"]["status"]),
        (&json!("running"), &json!("running"))
    );
    // The same sandbox as the Modbox API shows it.
    let detail = ann.detail("one").await;
    assert_eq!((&detail["id"], &detail["status"]), (&shown["session"]["id"], &json!("running")));

    let deleted = ann.delete(&at("one", "")).await.expect(200);
    has(&deleted, &[("sandbox", true, |_| true)]);
    is_sandbox(&deleted["sandbox"]);
    assert_eq!(
        (&deleted["sandbox"]["name"], &deleted["sandbox"]["status"]),
        (&json!("one"), &json!("stopped"))
    );
    let id = shown["session"]["id"].as_str().unwrap();
    for again in [
        ann.delete(&at("one", "")).await,
        ann.get(&at("one", "")).await,
        ann.get(&at("one", "?resume=true")).await,
        patch(&ann, "one", json!({"timeout": 60_000})).await,
        patch(&ann, "one", json!({})).await,
        ann.get(&session(id, "")).await,
        ann.post(&session(id, "/stop"), json!({})).await,
        extend(&ann, id, 1000).await,
    ] {
        is_not_found(&again);
    }
    assert_eq!(ann.detail(id).await["reason"], "destroyed");
    world.settle().await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_sandbox_is_shown_until_it_is_deleted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({})).await;
    world.settle().await;
    for _ in 0..2 {
        let stopped = ann.post(&session(&id, "/stop"), json!({})).await.expect(200);
        has(&stopped, &[("session", true, |_| true), ("sandbox", true, |_| true)]);
        is_session(&stopped["session"]);
        is_sandbox(&stopped["sandbox"]);
        assert_eq!(
            (&stopped["session"]["id"], &stopped["session"]["status"]),
            (&json!(id), &json!("stopped"))
        );
        assert_eq!(stopped["sandbox"]["status"], "stopped");
        assert!(stopped["session"]["stoppedAt"].is_u64() && stopped["session"]["requestedStopAt"].is_u64());
    }
    world.settle().await;
    assert!(world.engine.running().is_empty());
    assert_eq!(ann.get(&at(&name, "")).await.expect(200)["session"]["status"], "stopped");
    assert_eq!(ann.get(&session(&id, "")).await.expect(200)["session"]["status"], "stopped");
    let (code, why) = refusal(&ann.get(&at(&name, "?resume=true")).await, 410);
    assert_eq!(code, "snapshot_not_found", "by which the SDKs that get or create make another");
    assert!(why.contains("do not keep their disk"), "{why}");
    for answer in [extend(&ann, &id, 1000).await, patch(&ann, &name, json!({"tags": {}})).await] {
        let (code, why) = refusal(&answer, 400);
        assert_eq!(code, "bad_request");
        assert!(why.contains("stopped for good"), "{why}");
    }
    assert_eq!(ann.delete(&at(&name, "")).await.expect(200)["sandbox"]["status"], "stopped");
    is_not_found(&ann.delete(&at(&name, "")).await);
    is_not_found(&ann.get(&at(&name, "")).await);
    assert_eq!(ann.detail(&id).await["reason"], "stopped");
}

#[tokio::test(start_paused = true)]
async fn a_name_is_free_once_its_sandbox_has_stopped() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (_, first) = made(&ann, json!({"name": "one"})).await;
    let taken = ann.post(SANDBOXES, json!({"name": "one"})).await;
    let message = "A sandbox with the name 'one' already exists for this project.";
    assert_eq!(refusal(&taken, 400), ("bad_request".to_owned(), message.to_owned()));
    ann.post(&session(&first, "/stop"), json!({})).await.expect(200);
    let (_, second) = made(&ann, json!({"name": "one"})).await;
    assert_eq!(ann.get(&at("one", "")).await.expect(200)["session"]["id"], json!(second));
}

#[tokio::test(start_paused = true)]
async fn of_two_deletes_at_once_one_finds_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for stopped in [false, true] {
        let (name, id) = made(&ann, json!({})).await;
        world.settle().await;
        if stopped {
            ann.post(&session(&id, "/stop"), json!({})).await.expect(200);
        }
        let path = at(&name, "");
        let answers = deletes_at_once(&ann, &path).await;
        let found = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(found, 1, "stopped: {stopped}");
        assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 404)));
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_ends_a_sandbox_it_says_how_in_its_words() {
    let script = |_: &_| Script::default().exit("main", Duration::from_secs(20), 3);
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let (expires, _) = made(&ann, json!({"timeout": 5000})).await;
    let (killed, id) = made(&ann, json!({})).await;
    let (exits, _) = made(&ann, json!({})).await;
    world.settle().await;
    ann.post(&format!("/sandboxes/{id}/kill"), json!({})).await.expect(200);
    is_not_found(&ann.get(&at(&killed, "")).await);
    world.pass(Duration::from_secs(30)).await;
    for name in [expires, exits] {
        let shown = ann.get(&at(&name, "")).await.expect(200);
        is_whole(&shown);
        assert_eq!(
            (&shown["sandbox"]["status"], &shown["session"]["status"]),
            (&json!("stopped"), &json!("stopped"))
        );
        ann.delete(&at(&name, "")).await.expect(200);
        is_not_found(&ann.delete(&at(&name, "")).await);
    }
}

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
async fn a_value_of_the_wrong_kind_is_a_bad_request() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    let too_many: serde_json::Map<_, _> = (0..6).map(|n| (n.to_string(), json!("x"))).collect();
    for body in [
        json!([]),
        json!({"name": 7}),
        json!({"name": ""}),
        json!({"name": "a/b"}),
        json!({"name": "x".repeat(129)}),
        json!({"projectId": ""}),
        json!({"projectId": "x".repeat(129)}),
        json!({"image": "x".repeat(513)}),
        json!({"runtime": "cobol"}),
        json!({"runtime": "node24", "image": "mine"}),
        json!({"timeout": "60000"}),
        json!({"timeout": 1000.5}),
        json!({"env": {"a b": "1"}}),
        json!({"env": {"A": 1}}),
        json!({"tags": {"a": 1}}),
        json!({"tags": too_many}),
        json!({"tags": {"": "x"}}),
        json!({"region": 5}),
        json!({"persistent": "yes"}),
        json!({"ports": ["x"]}),
    ] {
        assert_eq!(refusal(&ann.post(SANDBOXES, body.clone()).await, 400).0, "bad_request", "{body}");
    }
    for body in
        [json!({"timeout": "1"}), json!({"tags": []}), json!({"tags": too_many}), json!({"env": {"A": "1"}})]
    {
        assert_eq!(refusal(&patch(&ann, &name, body.clone()).await, 400).0, "bad_request", "{body}");
    }
    let answer = ann.post(&session(&id, "/extend-timeout"), json!({"duration": "1"})).await;
    assert_eq!(refusal(&answer, 400).0, "bad_request");
    for query in ["?resume=maybe", "?teamId=", "?slug=a%00b", "?projectId=a&projectId=b"] {
        assert_eq!(refusal(&ann.get(&at(&name, query)).await, 400).0, "bad_request", "{query}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_is_refused_with_a_sentence() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (name, id) = made(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    let no_disk = "do not keep their disk";
    let both = [
        (json!({"persistent": true}), no_disk),
        (json!({"snapshotExpiration": 0}), no_disk),
        (json!({"keepLastSnapshots": {"count": 1}}), no_disk),
        (json!({"ports": [3000]}), "no ports"),
        (json!({"resources": {"vcpus": 4}}), "the same size"),
        (json!({"networkPolicy": {"mode": "deny-all"}}), "must be allow-all"),
        (json!({"networkPolicy": {"allow": ["example.com"]}}), "must be allow-all"),
        (json!({"networkId": "net"}), "must be allow-all"),
        (json!({"mounts": {"/data": {"drive": "mine"}}}), "no drives"),
    ];
    for (body, why) in &both {
        for answer in [ann.post(SANDBOXES, body.clone()).await, patch(&ann, &name, body.clone()).await] {
            let (code, message) = refusal(&answer, 400);
            assert_eq!(code, "bad_request");
            assert!(message.contains(why), "{body}: {message}");
        }
    }
    let source = ann.post(SANDBOXES, json!({"source": {"type": "snapshot", "snapshotId": "x"}})).await;
    assert!(refusal(&source, 400).1.contains("in its image"));
    for path in [session(&id, "/snapshot"), at(&name, "/fork")] {
        assert!(refusal(&ann.post(&path, json!({})).await, 400).1.contains(no_disk));
    }
    assert!(refusal(&patch(&ann, &name, json!({"currentSnapshotId": "x"})).await, 400).1.contains(no_disk));
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_its_default_or_unknown_is_accepted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for body in [
        json!({"persistent": false, "ports": [], "mounts": {}, "networkPolicy": {"mode": "allow-all"}}),
        json!({"persistent": null, "name": null, "source": null, "timeout": 60_000.0, "__interactive": true}),
        json!({"region": "iad1", "failoverRegions": ["sfo1"]}),
        json!({"runtime": "node24"}),
        json!({"image": "vercel/sandbox/universal:latest"}),
    ] {
        let made = create(&ann, body.clone()).await;
        is_whole(&made);
        let default = ann.detail(&ann.create(json!({})).await).await["image"].clone();
        assert_eq!(
            (&made["sandbox"]["image"], &made["sandbox"]["region"]),
            (&default, &json!("us-east-1")),
            "{body}"
        );
    }
    assert_eq!(create(&ann, json!({"image": "mine:1"})).await["sandbox"]["image"], "mine:1");
}

#[tokio::test(start_paused = true)]
async fn only_the_workspace_of_somebody_else_is_forbidden() {
    let world = World::start().await;
    let (ann, _bob) = (world.user("ann").await, world.user("bob").await);
    let (name, id) = made(&ann, json!({})).await;
    let (own, bobs) = (world.workspace("ann").await, world.workspace("bob").await);
    for scope in ["prj_x", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000", own.as_str()] {
        for parameter in ["projectId", "project", "teamId", "slug"] {
            ann.get(&at(&name, &format!("?{parameter}={scope}"))).await.expect(200);
        }
        made(&ann, json!({"projectId": scope})).await;
    }
    world.settle().await;
    let before = world.items();
    for parameter in ["projectId", "project", "teamId", "slug"] {
        let query = format!("?{parameter}={bobs}");
        for (method, path) in [
            (Method::GET, SANDBOXES.to_owned()),
            (Method::POST, SANDBOXES.to_owned()),
            (Method::GET, at(&name, "")),
            (Method::PATCH, at(&name, "")),
            (Method::DELETE, at(&name, "")),
            (Method::GET, at("sessions", "")),
            (Method::POST, session(&id, "/stop")),
            (Method::POST, session(&id, "/extend-timeout")),
        ] {
            let answer = ann.request(method, &format!("{path}{query}")).json(&json!({})).send().await;
            assert_eq!(refusal(&answer, 403).0, "forbidden", "{path}{query}");
        }
    }
    assert_eq!(refusal(&ann.post(SANDBOXES, json!({"projectId": bobs})).await, 403).0, "forbidden");
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_foreign_or_no_name_is_not_found() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let (name, id) = made(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    for (caller, sandbox) in
        [(&bob, name.as_str()), (&bob, id.as_str()), (&ann, id.as_str()), (&ann, "x%0Ay")]
    {
        for (method, rest) in
            [(Method::GET, ""), (Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "/fork")]
        {
            is_not_found(&caller.request(method, &at(sandbox, rest)).send().await);
        }
    }
    for (caller, one) in [(&bob, id.as_str()), (&ann, "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"), (&ann, "se_1")]
    {
        for (method, rest) in [(Method::GET, ""), (Method::POST, "/stop"), (Method::POST, "/snapshot")] {
            is_not_found(&caller.request(method, &session(one, rest)).send().await);
        }
        is_not_found(&extend(caller, one, 1000).await);
    }
    assert_eq!(world.items(), before);
    assert_eq!(refusal(&world.guest().get(SANDBOXES).await, 401).0, "unauthorized");
    assert_eq!(refusal(&ann.post(&session(&id, "/cmd"), json!({})).await, 404).0, "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_of_another_door_without_a_deadline_is_shown() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann.create(json!({"task_id": "one"})).await;
    world.settle().await;
    let shown = ann.get(&at("one", "")).await.expect(200);
    is_whole(&shown);
    assert_eq!((shown["sandbox"].get("timeout"), shown["sandbox"].get("expiresAt")), (None, None));
    assert!(shown["session"]["timeout"].as_u64().unwrap() > 1_000_000_000_000);
    extend(&ann, &id, 1000).await.expect(200);
    assert_eq!(world.row(&id).await.sandbox.expires_at, None);
    patch(&ann, "one", json!({"timeout": 60_000})).await.expect(200);
    assert_eq!(ann.get(&at("one", "")).await.expect(200)["sandbox"]["timeout"], 60_000);
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
async fn it_calls_the_table_as_often_as_the_modbox_api_does() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (_, native) = world.counting("api", ann.post("/sandboxes", json!({"task_id": "native"}))).await;
    let (answer, same) =
        world.counting("api", ann.post(SANDBOXES, json!({"name": "door", "projectId": "p"}))).await;
    assert_eq!(same, native);
    let id = answer.expect(200)["session"]["id"].as_str().unwrap().to_owned();
    let other = ann.create(json!({"task_id": "other"})).await;
    world.settle().await;
    let ttl = json!({"timeout": 60_000, "duration": 60_000, "ttl_seconds": 60});
    for (theirs, ours, body) in [
        ((Method::GET, at("door", "?teamId=t")), (Method::GET, "/sandboxes/native"), json!({})),
        ((Method::GET, session(&id, "")), (Method::GET, &*format!("/sandboxes/{other}")), json!({})),
        ((Method::GET, SANDBOXES.to_owned()), (Method::GET, "/sandboxes?limit=100"), json!({})),
        ((Method::PATCH, at("door", "")), (Method::POST, "/sandboxes/native/extend"), ttl.clone()),
        (
            (Method::POST, session(&id, "/extend-timeout")),
            (Method::POST, &*format!("/sandboxes/{other}/extend")),
            ttl,
        ),
        ((Method::POST, session(&id, "/stop")), (Method::DELETE, &*format!("/sandboxes/{other}")), json!({})),
    ] {
        let expected = calls_of(&world, &ann, (ours.0, ours.1), &body).await;
        assert_eq!(calls_of(&world, &ann, (theirs.0, &theirs.1), &body).await, expected, "{}", theirs.1);
    }
    made(&ann, json!({"name": "door"})).await;
    let delete = async |path: &str| calls_of(&world, &ann, (Method::DELETE, path), &json!({})).await;
    let expected = delete("/sandboxes/native").await;
    assert_eq!(delete(&at("door", "")).await, expected);
}
