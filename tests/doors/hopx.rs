//! The door of HopX, as its pages describe it.

use std::time::Duration;

use axum::http::Method;
use modbox_tests::{Answer, Client, OnStop, Script, World};
use serde_json::{Value, json};

use super::{calls_of, deletes_at_once};

const SANDBOXES: &str = "/hopx/v1/sandboxes";

fn at(id: &str, rest: &str) -> String {
    format!("{SANDBOXES}/{id}{rest}")
}

async fn create(client: &Client, mut body: Value) -> Value {
    if body.get("template_name").is_none() && body.get("template_id").is_none() {
        body["template_name"] = json!("code-interpreter");
    }
    client.post(SANDBOXES, body).await.expect(201)
}

async fn created(client: &Client, body: Value) -> String {
    create(client, body).await["id"].as_str().unwrap().to_owned()
}

async fn put_timeout(client: &Client, id: &str, body: Value) -> Answer {
    client.request(Method::PUT, &at(id, "/timeout")).json(&body).send().await
}

/// The body of a refusal: the three fields of the page, and no other.
#[track_caller]
fn refusal(answer: &Answer, status: u16) -> (String, String) {
    let body = answer.expect(status);
    let text = |name: &str| body[name].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    assert_eq!(answer.header("x-request-id"), Some(text("request_id").as_str()));
    (text("error"), text("code"))
}

/// Not found, word for word as the page has it.
#[track_caller]
fn is_not_found(answer: &Answer) {
    assert_eq!(refusal(answer, 404), ("Sandbox not found".to_owned(), "RESOURCE_NOT_FOUND".to_owned()));
}

/// Holds a sandbox against the vendor's data model: these fields of these types.
#[track_caller]
fn is_sandbox(body: &Value, more: &[&str]) {
    type Field = (&'static str, fn(&Value) -> bool);
    let types: [Field; 18] = [
        ("id", Value::is_string),
        ("object", |value| value == "sandbox"),
        ("organization_id", Value::is_u64),
        ("node_id", Value::is_null),
        ("region", Value::is_string),
        ("template_id", Value::is_string),
        ("template_name", Value::is_string),
        ("status", |value| value == "creating" || value == "running"),
        ("public_host", Value::is_string),
        ("direct_url", Value::is_string),
        ("preview_url", Value::is_string),
        ("internet_access", Value::is_boolean),
        ("live_mode", Value::is_boolean),
        ("timeout_seconds", |value| value.is_u64() || value.is_null()),
        ("expires_at", |value| value.is_string() || value.is_null()),
        ("created_at", Value::is_string),
        ("updated_at", Value::is_string),
        ("resources", |value| ["vcpu", "memory_mb", "disk_mb"].iter().all(|name| value[name].is_u64())),
    ];
    for (name, is_right) in types {
        assert!(is_right(&body[name]), "{name}: {body}");
    }
    let named: Vec<_> = types.iter().map(|(name, _)| *name).chain(more.iter().copied()).collect();
    let unnamed: Vec<_> =
        body.as_object().unwrap().keys().filter(|key| !named.contains(&key.as_str())).collect();
    assert!(unnamed.is_empty(), "{unnamed:?}");
    for name in more {
        assert!(body[name].is_string(), "{name}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_is_created_and_shown_until_it_is_deleted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let made = create(&ann, json!({"timeout_seconds": 600})).await;
    is_sandbox(&made, &["auth_token", "token_expires_at", "request_id"]);
    assert_eq!((&made["status"], &made["timeout_seconds"]), (&json!("creating"), &json!(600)));
    assert!(made["auth_token"].as_str().unwrap().starts_with("sbx_"));
    let id = made["id"].as_str().unwrap();
    world.settle().await;

    let shown = ann.get(&at(id, "")).await.expect(200);
    is_sandbox(&shown, &["request_id"]);
    assert_eq!((&shown["status"], &shown["template_name"]), (&json!("running"), &json!("code-interpreter")));
    for name in ["id", "public_host", "expires_at", "created_at", "region"] {
        assert_eq!(shown[name], made[name], "{name}");
    }
    // The same sandbox as the Modbox API shows it.
    let detail = ann.detail(id).await;
    assert_eq!((&detail["status"], &detail["expires_at"]), (&json!("running"), &shown["expires_at"]));

    let deleted = ann.delete(&at(id, "")).await;
    let request_id = deleted.header("x-request-id").unwrap().to_owned();
    assert_eq!(deleted.expect(200), json!({"id": id, "status": "deleted", "request_id": request_id}));
    for again in [ann.get(&at(id, "")).await, ann.delete(&at(id, "")).await] {
        is_not_found(&again);
    }
    assert_eq!(ann.detail(id).await["reason"], "destroyed");
    world.settle().await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn kill_answers_as_the_page_says() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let killed = ann.request(Method::POST, &at(&id, "/kill")).send().await;
    let request_id = killed.header("x-request-id").unwrap().to_owned();
    assert_eq!(killed.expect(200), json!({"id": id, "status": "killed", "request_id": request_id}));
    assert_eq!(ann.detail(&id).await["reason"], "killed");
    for (method, rest) in [(Method::POST, "/kill"), (Method::DELETE, ""), (Method::GET, "")] {
        is_not_found(&ann.request(method, &at(&id, rest)).send().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_task_is_given_no_time_and_a_deleted_one_is() {
    let script =
        |_: &_| Script::default().exit("ready", Duration::from_millis(5), 0).on_stop(OnStop::Ignores);
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let (killed, deleted) = (created(&ann, json!({})).await, created(&ann, json!({})).await);
    world.settle().await;
    ann.delete(&at(&deleted, "")).await.expect(200);
    world.pass(Duration::from_secs(1)).await;
    assert_eq!(world.engine.running().len(), 2, "it has two seconds");
    ann.request(Method::POST, &at(&killed, "/kill")).send().await.expect(200);
    world.pass(Duration::from_millis(500)).await;
    assert_eq!(world.engine.running().len(), 1, "it has none");
    world.pass(Duration::from_secs(2)).await;
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_killed_from_any_state() {
    let world = World::build().tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    for millis in (0..120).step_by(10) {
        let id = created(&ann, json!({})).await;
        world.pass(Duration::from_millis(millis)).await;
        ann.request(Method::POST, &at(&id, "/kill")).send().await.expect(200);
        is_not_found(&ann.get(&at(&id, "")).await);
        world.pass(Duration::from_secs(1)).await;
        assert!(world.engine.running().is_empty(), "killed after {millis} ms, and its task runs");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_deletes_at_once_one_finds_it() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let path = at(&id, "");
    let answers = deletes_at_once(&ann, &path).await;
    let found = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(found, 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 404)));
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_foreign_or_no_id_is_not_found() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let id = created(&ann, json!({})).await;
    ann.create(json!({"task_id": "named"})).await;
    world.settle().await;
    let before = world.items();
    for (caller, sandbox) in
        [(&bob, id.as_str()), (&ann, "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"), (&ann, "named"), (&ann, "x y")]
    {
        let sandbox = sandbox.replace(' ', "%20");
        for (method, rest) in [
            (Method::GET, ""),
            (Method::DELETE, ""),
            (Method::POST, "/kill"),
            (Method::POST, "/token/refresh"),
            (Method::POST, "/pause"),
        ] {
            is_not_found(&caller.request(method, &at(&sandbox, rest)).send().await);
        }
        is_not_found(&put_timeout(caller, &sandbox, json!({"timeout_seconds": 60})).await);
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_counts_from_when_it_is_set() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    assert_eq!(ann.get(&at(&id, "")).await.expect(200)["timeout_seconds"], json!(null));
    for seconds in [600, 30, 86_400, 7] {
        world.pass(Duration::from_secs(1)).await;
        let answer = put_timeout(&ann, &id, json!({"timeout_seconds": seconds})).await;
        let body = answer.expect(200);
        let shown = ann.get(&at(&id, "")).await.expect(200);
        assert_eq!(body.as_object().unwrap().len(), 4, "{body}");
        assert_eq!((&body["id"], &body["timeout_seconds"]), (&json!(id), &json!(seconds)));
        assert_eq!((&shown["timeout_seconds"], &shown["expires_at"]), (&json!(seconds), &body["expires_at"]));
        let expected = world.now() + Duration::from_secs(seconds);
        assert_eq!(world.row(&id).await.sandbox.expires_at, Some(expected));
    }
    world.pass(Duration::from_secs(7)).await;
    is_not_found(&ann.get(&at(&id, "")).await);
    is_not_found(&put_timeout(&ann, &id, json!({"timeout_seconds": 60})).await);
    is_not_found(&ann.delete(&at(&id, "")).await);
    assert_eq!(ann.detail(&id).await["reason"], "expired");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_is_about_to_end_is_not_moved_away() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({"timeout_seconds": 20})).await;
    world.settle().await;
    world.pass(Duration::from_secs(16)).await;
    let late = put_timeout(&ann, &id, json!({"timeout_seconds": 600})).await;
    assert_eq!(refusal(&late, 409).1, "CONFLICT");
    assert_eq!(ann.get(&at(&id, "")).await.expect(200)["status"], "running");
    put_timeout(&ann, &id, json!({"timeout_seconds": 1})).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_value_of_the_wrong_kind_is_a_bad_request() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    for body in [
        json!({}),
        json!({"template_name": null}),
        json!({"template_name": 7}),
        json!({"template_id": true}),
        json!({"template_name": ""}),
        json!({"template_name": "x".repeat(513)}),
        json!({"template_name": "code-interpreter", "timeout_seconds": 0}),
        json!({"template_name": "code-interpreter", "timeout_seconds": 86_401}),
        json!({"template_name": "code-interpreter", "timeout_seconds": "60"}),
        json!({"template_name": "code-interpreter", "internet_access": "yes"}),
        json!({"template_name": "code-interpreter", "internet_access": false}),
        json!({"template_name": "code-interpreter", "region": 5}),
        json!({"template_name": "code-interpreter", "env_vars": {"A": 1}}),
        json!({"template_name": "code-interpreter", "env_vars": {"a b": "1"}}),
        json!({"template_name": "code-interpreter", "env_vars": ["A"]}),
        json!(["code-interpreter"]),
    ] {
        let answer = ann.post(SANDBOXES, body.clone()).await;
        assert_eq!(refusal(&answer, 400).1, "INVALID_REQUEST", "{body}");
    }
    for body in [
        json!({}),
        json!({"timeout_seconds": 0}),
        json!({"timeout_seconds": -5}),
        json!({"timeout_seconds": "9"}),
    ] {
        assert_eq!(refusal(&put_timeout(&ann, &id, body).await, 400).1, "INVALID_REQUEST");
    }
    for query in ["limit=0", "limit=1001", "limit=x", "status=deleted", "cursor=nonsense", "limit=1&limit=2"]
    {
        let answer = ann.get(&format!("{SANDBOXES}?{query}")).await;
        assert_eq!(refusal(&answer, 400).1, "INVALID_REQUEST", "{query}");
    }
    let broken = ann.request(Method::POST, SANDBOXES).body("{").send().await;
    assert_eq!(refusal(&broken, 400).1, "INVALID_REQUEST");
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_in_a_request_is_ignored() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let body =
        json!({"template_id": 73, "vcpu": 8, "timeout_seconds": 60.0, "region": "eu-west", "metadata": {}});
    let made = create(&ann, body).await;
    assert_eq!((&made["template_id"], &made["template_name"]), (&json!("73"), &json!("73")));
    assert_eq!(made["timeout_seconds"], 60);
    assert_eq!(made["region"], "us-east-1", "it says where it is, not where it was wished to be");
    ann.get(&format!("{SANDBOXES}?sort=up")).await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_after_page() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, created(&ann, json!({})).await);
        world.pass(Duration::from_millis(3)).await;
    }
    let gone = created(&ann, json!({})).await;
    ann.delete(&at(&gone, "")).await.expect(200);
    world.user("bob").await.create(json!({})).await;
    let (mut read, mut path, mut pages) = (Vec::new(), format!("{SANDBOXES}?limit=2"), 0);
    loop {
        let page = ann.get(&path).await.expect(200);
        assert_eq!((&page["object"], &page["url"]), (&json!("list"), &json!("/v1/sandboxes")));
        assert_eq!(page.as_object().unwrap().len(), 6, "{page}");
        assert!(page["request_id"].is_string());
        for sandbox in page["data"].as_array().unwrap() {
            is_sandbox(sandbox, &[]);
            read.push(sandbox["id"].as_str().unwrap().to_owned());
        }
        pages += 1;
        if page["has_more"] == false {
            assert_eq!(page["next_cursor"], json!(null));
            break;
        }
        path = format!("{SANDBOXES}?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!((read, pages), (made, 3));
}

#[tokio::test(start_paused = true)]
async fn each_filter_excludes_and_lets_pass() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let running = created(&ann, json!({})).await;
    world.settle().await;
    let creating = created(&ann, json!({})).await;
    for (query, expected) in [
        ("status=running", vec![&running]),
        ("status=creating", vec![&creating]),
        ("status=stopped", vec![]),
        ("status=paused", vec![]),
        ("region=us-east-1", vec![&creating, &running]),
        ("region=eu-west", vec![]),
        ("status=running&region=us-east-1", vec![&running]),
    ] {
        let listed = ann.get(&format!("{SANDBOXES}?{query}")).await.expect(200);
        let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
        assert_eq!(json!(ids), json!(expected), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_full_though_its_filter_excludes_many() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut running = Vec::new();
    for _ in 0..3 {
        running.insert(0, created(&ann, json!({})).await);
        world.pass(Duration::from_millis(3)).await;
    }
    world.settle().await;
    for _ in 0..6 {
        created(&ann, json!({})).await;
    }
    let page = ann.get(&format!("{SANDBOXES}?limit=2&status=running")).await.expect(200);
    let ids = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&page), &page["has_more"]), (running[..2].to_vec(), &json!(true)));
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = ann.get(&format!("{SANDBOXES}?limit=2&status=running&cursor={cursor}")).await.expect(200);
    assert_eq!((ids(&rest), &rest["has_more"]), (running[2..].to_vec(), &json!(false)));
}

#[tokio::test(start_paused = true)]
async fn the_token_is_told_again() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let made = create(&ann, json!({})).await;
    let id = made["id"].as_str().unwrap();
    let told = ann.request(Method::POST, &at(id, "/token/refresh")).send().await.expect(200);
    assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    assert_eq!(told["auth_token"], made["auth_token"]);
    assert!(told["token_expires_at"].is_string() && told["request_id"].is_string());
    ann.delete(&at(id, "")).await.expect(200);
    is_not_found(&ann.request(Method::POST, &at(id, "/token/refresh")).send().await);
}

#[tokio::test(start_paused = true)]
async fn what_promises_a_kept_disk_is_refused_with_a_sentence() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    for verb in ["pause", "resume", "stop", "start"] {
        let answer = ann.request(Method::POST, &at(&id, &format!("/{verb}"))).send().await;
        let (why, code) = refusal(&answer, 400);
        assert_eq!(code, "INVALID_REQUEST");
        assert!(why.contains("do not keep their disk"), "{why}");
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn templates_are_told() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let templates = ann.get("/hopx/v1/templates").await.expect(200);
    assert_eq!(templates["data"][0]["name"], "code-interpreter");
    let shown = ann.get("/hopx/v1/templates/code-interpreter").await.expect(200);
    for name in ["id", "name", "display_name", "description", "category", "default_resources", "is_active"] {
        assert_eq!(shown[name], templates["data"][0][name], "{name}");
    }
    let unknown = ann.get("/hopx/v1/templates/cobol").await;
    assert_eq!(refusal(&unknown, 404), ("Template not found".to_owned(), "RESOURCE_NOT_FOUND".to_owned()));
    for (query, count) in [("category=code-interpreter", 1), ("category=ubuntu", 0), ("language=python", 0)] {
        let templates = ann.get(&format!("/hopx/v1/templates?{query}")).await.expect(200);
        assert_eq!(templates["data"].as_array().unwrap().len(), count, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn health_answers_anybody() {
    let world = World::start().await;
    assert_eq!(world.guest().get("/hopx/health").await.expect(200), json!({"status": "ok"}));
}

#[tokio::test(start_paused = true)]
async fn either_header_names_the_caller() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let made = world.stack.admin.create_token("ann", None, None).await.unwrap();
    let by_key = world.guest().with_header("x-api-key", &made.text);
    let id = created(&by_key, json!({})).await;
    ann.get(&at(&id, "")).await.expect(200);
    // As the SDKs send it: the key's own header counts.
    by_key.with_token("mbx_nobody").get(&at(&id, "")).await.expect(200);
    let refused = world.guest().get(SANDBOXES).await;
    assert_eq!(refusal(&refused, 401).1, "AUTHENTICATION_REQUIRED");
    let unknown = world.guest().with_header("x-api-key", "hopx_live_x.y").get(SANDBOXES).await;
    assert_eq!(refusal(&unknown, 401).1, "INVALID_TOKEN");
}

#[tokio::test(start_paused = true)]
async fn it_calls_the_table_as_often_as_the_modbox_api_does() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (native, made) = world.counting("api", ann.post("/sandboxes", json!({}))).await;
    let (door, same) =
        world.counting("api", ann.post(SANDBOXES, json!({"template_name": "code-interpreter"}))).await;
    assert_eq!(same, made);
    let ids = [native.expect(201)["sandbox_id"].clone(), door.expect(201)["id"].clone()];
    let [native, door] = ids.each_ref().map(|id| id.as_str().unwrap());
    world.settle().await;
    for (theirs, ours, body) in [
        ((Method::GET, at(door, "")), (Method::GET, format!("/sandboxes/{native}")), json!({})),
        ((Method::GET, SANDBOXES.to_owned()), (Method::GET, "/sandboxes?limit=100".to_owned()), json!({})),
        (
            (Method::PUT, at(door, "/timeout")),
            (Method::POST, format!("/sandboxes/{native}/extend")),
            json!({"timeout_seconds": 60, "ttl_seconds": 60}),
        ),
        ((Method::DELETE, at(door, "")), (Method::DELETE, format!("/sandboxes/{native}")), json!({})),
    ] {
        let expected = calls_of(&world, &ann, (ours.0, &ours.1), &body).await;
        assert_eq!(calls_of(&world, &ann, (theirs.0, &theirs.1), &body).await, expected, "{}", theirs.1);
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_shows_what_is_over_as_live() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let ended = [
        created(&ann, json!({})).await,
        created(&ann, json!({})).await,
        created(&ann, json!({"timeout_seconds": 1})).await,
    ];
    world.settle().await;
    ann.delete(&at(&ended[0], "")).await.expect(200);
    ann.post(&format!("/sandboxes/{}/kill", ended[1]), json!({})).await.expect(200);
    world.pass(Duration::from_secs(1)).await;
    for id in &ended {
        is_not_found(&ann.get(&at(id, "")).await);
    }
    assert_eq!(ann.get(SANDBOXES).await.expect(200)["data"], json!([]));
}
