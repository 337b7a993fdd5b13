//! The door of Daytona, as its pages describe it.

use std::time::Duration;

use axum::http::Method;
use modbox_local::ecs::StartError;
use modbox_tests::{Answer, Client, OnStop, Script, Start, World};
use serde_json::{Value, json};

use super::{calls_of, deletes_at_once};

pub(super) const SANDBOX: &str = "/daytona/sandbox";
const NO_DISK: &str = "do not keep their disk";

pub(super) fn at(sandbox: &str, rest: &str) -> String {
    format!("{SANDBOX}/{sandbox}{rest}")
}

async fn create(client: &Client, body: Value) -> Value {
    client.post(SANDBOX, body).await.expect(200)
}

pub(super) async fn created(client: &Client, body: Value) -> String {
    create(client, body).await["id"].as_str().unwrap().to_owned()
}

async fn post(client: &Client, path: &str) -> Answer {
    client.request(Method::POST, path).send().await
}

/// The message of a refusal, whose body has the five fields of the vendor's, and no other.
#[track_caller]
pub(super) fn refusal(answer: &Answer, status: u16) -> String {
    let body = answer.expect(status);
    assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
    assert_eq!(
        (&body["statusCode"], &body["error"]),
        (&json!(status), &json!(answer.status.canonical_reason()))
    );
    assert!(body["path"].as_str().unwrap().starts_with("/daytona/"), "{body}");
    assert!(body["timestamp"].as_str().unwrap().ends_with('Z'), "{body}");
    body["message"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[track_caller]
fn is_not_found(answer: &Answer) {
    assert_eq!(refusal(answer, 404), "Sandbox not found");
}

#[track_caller]
fn is_in_progress(answer: &Answer) {
    assert_eq!(refusal(answer, 409), "Sandbox state change in progress");
}

type Field = (&'static str, fn(&Value) -> bool);

/// The fields of seeds/001.
const SEED: [Field; 19] = [
    ("id", Value::is_string),
    ("organizationId", Value::is_string),
    ("name", Value::is_string),
    ("snapshot", Value::is_string),
    ("user", Value::is_string),
    ("env", Value::is_object),
    ("labels", Value::is_object),
    ("public", Value::is_boolean),
    ("networkBlockAll", Value::is_boolean),
    ("target", Value::is_string),
    ("cpu", Value::is_u64),
    ("gpu", Value::is_u64),
    ("memory", Value::is_u64),
    ("disk", Value::is_u64),
    ("state", Value::is_string),
    ("desiredState", Value::is_string),
    ("createdAt", Value::is_string),
    ("updatedAt", Value::is_string),
    ("runnerId", Value::is_string),
];

/// What the vendor's reference has beyond them.
const MORE: [Field; 12] = [
    ("kvm", |value| value == false),
    ("recoverable", |value| value == false),
    ("backupState", |value| value == "None"),
    ("autoStopInterval", |value| value == 0),
    ("autoPauseInterval", |value| value == 0),
    ("autoArchiveInterval", |value| value == 0),
    ("autoDeleteInterval", |value| value == 0),
    ("autoDestroyAt", Value::is_string),
    ("errorReason", Value::is_string),
    ("volumes", |value| *value == json!([])),
    ("sandboxClass", |value| value == "container"),
    ("toolboxProxyUrl", Value::is_string),
];

/// Holds a sandbox against the schema: these fields of these types and no other, but for `without`.
#[track_caller]
pub(super) fn is_sandbox(body: &Value, without: &[&str]) {
    let fields = SEED.iter().chain(&MORE).filter(|(name, _)| !without.contains(name));
    let fields: Vec<_> = fields.collect();
    for (name, is_right) in &fields {
        assert!(is_right(&body[name]), "{name}: {body}");
    }
    let known = |key: &&String| fields.iter().any(|(name, _)| name == key);
    let unknown: Vec<_> = body.as_object().unwrap().keys().filter(|key| !known(key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_is_created_and_shown_until_it_is_deleted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let body = json!({"name": "one", "env": {"A": "1"}, "labels": {"project": "my-app"}, "ttlMinutes": 10});
    let made = create(&ann, body).await;
    is_sandbox(&made, &["errorReason"]);
    assert_eq!((&made["state"], &made["desiredState"]), (&json!("creating"), &json!("started")));
    assert_eq!((&made["name"], &made["labels"]), (&json!("one"), &json!({"project": "my-app"})));
    assert_eq!(made["env"], json!({}), "values are secrets");
    assert_eq!(made["organizationId"], world.workspace("ann").await);
    let id = made["id"].as_str().unwrap();
    world.settle().await;

    for sandbox in [id, "one"] {
        let shown = ann.get(&at(sandbox, "")).await.expect(200);
        is_sandbox(&shown, &["errorReason"]);
        assert_eq!(shown["state"], "started");
        for name in ["id", "snapshot", "autoDestroyAt", "createdAt", "toolboxProxyUrl"] {
            assert_eq!(shown[name], made[name], "{name}");
        }
    }
    // The same sandbox as the Modbox API shows it.
    let detail = ann.detail(id).await;
    assert_eq!((&detail["status"], &detail["expires_at"]), (&json!("running"), &made["autoDestroyAt"]));

    let deleted = ann.delete(&at(id, "")).await.expect(200);
    is_sandbox(&deleted, &["errorReason"]);
    assert_eq!((&deleted["state"], &deleted["desiredState"]), (&json!("destroying"), &json!("destroyed")));
    assert_eq!(ann.get(&at(id, "")).await.expect(200)["state"], "destroying");
    is_in_progress(&ann.delete(&at(id, "")).await);
    is_in_progress(&ann.delete(&at("one", "")).await);
    world.settle().await;
    for again in [ann.get(&at(id, "")).await, ann.delete(&at(id, "")).await, ann.delete(&at("one", "")).await]
    {
        is_not_found(&again);
    }
    assert_eq!(ann.detail(id).await["reason"], "destroyed");
    assert!(world.engine.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn it_is_deleted_from_any_state() {
    let world = World::build().tick_every(Duration::from_secs(1)).start().await;
    let ann = world.user("ann").await;
    for millis in (0..120).step_by(10) {
        let id = created(&ann, json!({})).await;
        world.pass(Duration::from_millis(millis)).await;
        assert_eq!(ann.delete(&at(&id, "")).await.expect(200)["desiredState"], "destroyed");
        let shown = ann.get(&at(&id, "")).await;
        assert!(shown.status == 404 || shown.expect(200)["state"] == "destroying", "{}", shown.text());
        world.pass(Duration::from_secs(1)).await;
        assert!(world.engine.running().is_empty(), "deleted after {millis} ms, and its task runs");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_deletes_at_once_one_deletes() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let path = at(&id, "");
    let answers = deletes_at_once(&ann, &path).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 200 | 404 | 409)));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_name_is_free_at_once_and_a_living_one_is_taken() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let first = created(&ann, json!({"name": "one"})).await;
    world.settle().await;
    let taken = ann.post(SANDBOX, json!({"name": "one"})).await;
    assert_eq!(refusal(&taken, 409), "Sandbox with name one already exists");
    ann.delete(&at("one", "")).await.expect(200);
    let second = created(&ann, json!({"name": "one"})).await;
    assert_eq!(ann.get(&at("one", "")).await.expect(200)["id"], json!(second));
    assert_eq!(ann.get(&at(&first, "")).await.expect(200)["state"], "destroying");
}

#[tokio::test(start_paused = true)]
async fn stop_is_delete_and_by_force_kill() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (query, reason) in [("", "destroyed"), ("?force=false", "destroyed"), ("?force=true", "killed")] {
        let id = created(&ann, json!({})).await;
        world.settle().await;
        let stopped = post(&ann, &at(&id, &format!("/stop{query}"))).await.expect(200);
        is_sandbox(&stopped, &["errorReason", "autoDestroyAt"]);
        assert_eq!(
            (&stopped["state"], &stopped["desiredState"]),
            (&json!("destroying"), &json!("destroyed"))
        );
        is_in_progress(&post(&ann, &at(&id, "/stop")).await);
        assert_eq!(ann.detail(&id).await["reason"], reason, "{query}");
        world.settle().await;
        is_not_found(&post(&ann, &at(&id, "/stop")).await);
    }
    let id = created(&ann, json!({})).await;
    refusal(&post(&ann, &at(&id, "/stop?force=perhaps")).await, 400);
}

#[tokio::test(start_paused = true)]
async fn one_that_failed_is_shown_with_the_reason_until_it_is_deleted() {
    let why = "CannotPullContainerError: no such image";
    let world = World::build()
        .script(move |_| Script::default().start(Start::Fails(StartError::new(why))))
        .start()
        .await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({"snapshot": "nowhere/nothing:1"})).await;
    world.settle().await;
    let failed = ann.get(&at(&id, "")).await.expect(200);
    is_sandbox(&failed, &["autoDestroyAt"]);
    assert_eq!((&failed["state"], &failed["snapshot"]), (&json!("error"), &json!("nowhere/nothing:1")));
    assert!(failed["errorReason"].as_str().unwrap().contains(why), "{failed}");
    for rest in ["/ttl/5", "/last-activity"] {
        assert!(refusal(&post(&ann, &at(&id, rest)).await, 409).contains("errored"), "{rest}");
    }
    let deleted = ann.delete(&at(&id, "")).await.expect(200);
    is_sandbox(&deleted, &["errorReason", "autoDestroyAt"]);
    for again in [ann.get(&at(&id, "")).await, ann.delete(&at(&id, "")).await] {
        is_not_found(&again);
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_ended_by_itself_is_not_found() {
    let script = |_: &_| {
        Script::default().exit("ready", Duration::from_millis(5), 0).exit("main", Duration::from_secs(5), 0)
    };
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    assert_eq!(ann.get(&at(&id, "")).await.expect(200)["state"], "started");
    world.pass(Duration::from_secs(6)).await;
    world.settle().await;
    is_not_found(&ann.get(&at(&id, "")).await);
    is_not_found(&ann.delete(&at(&id, "")).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_foreign_or_no_id_is_not_found() {
    let world = World::start().await;
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let id = created(&ann, json!({"name": "hers"})).await;
    world.settle().await;
    let before = world.items();
    for (caller, sandbox) in [
        (&bob, id.as_str()),
        (&bob, "hers"),
        (&ann, "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"),
        (&ann, "nobodys"),
        (&ann, "x%2Fy"),
    ] {
        is_not_found(&caller.get(&at(sandbox, "")).await);
        is_not_found(&caller.delete(&at(sandbox, "")).await);
        is_not_found(&caller.get(&at(sandbox, "/toolbox-proxy-url")).await);
        for rest in ["/stop", "/start", "/pause", "/autostop/0", "/ttl/5", "/last-activity"] {
            is_not_found(&post(caller, &at(sandbox, rest)).await);
        }
        let labels = json!({"labels": {}});
        is_not_found(&caller.request(Method::PUT, &at(sandbox, "/labels")).json(&labels).send().await);
    }
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn an_organization_is_the_callers_own_unless_it_is_somebody_elses() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    world.user("bob").await;
    let (hers, his) = (world.workspace("ann").await, world.workspace("bob").await);
    let id = created(&ann, json!({})).await;
    let of = |organization: &str| ann.with_header("x-daytona-organization-id", organization);
    for organization in [hers.as_str(), "org456", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"] {
        let shown = of(organization).get(&at(&id, "")).await.expect(200);
        assert_eq!(shown["organizationId"], json!(hers), "{organization}");
    }
    is_not_found(&of(&his).get(&at(&id, "")).await);
    is_not_found(&of(&his).delete(&at(&id, "")).await);
    is_not_found(&of(&his).get(SANDBOX).await);
    is_not_found(&of(&his).post(SANDBOX, json!({})).await);
    refusal(&of("").get(&at(&id, "")).await, 400);
}

#[tokio::test(start_paused = true)]
async fn a_time_to_live_counts_from_when_it_is_set() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    for minutes in [10, 3, 1440, 1] {
        world.pass(Duration::from_secs(1)).await;
        let set = post(&ann, &at(&id, &format!("/ttl/{minutes}"))).await.expect(200);
        is_sandbox(&set, &["errorReason"]);
        let expected = world.now() + Duration::from_secs(minutes * 60);
        assert_eq!(world.row(&id).await.sandbox.expires_at, Some(expected));
        assert_eq!(ann.get(&at(&id, "")).await.expect(200)["autoDestroyAt"], set["autoDestroyAt"]);
    }
    let set = post(&ann, &at(&id, "/ttl/0")).await.expect(200);
    is_sandbox(&set, &["errorReason", "autoDestroyAt"]);
    world.pass(Duration::from_secs(120)).await;
    assert_eq!(ann.get(&at(&id, "")).await.expect(200)["state"], "started");
    for minutes in ["-1", "1441", "1.5", "soon"] {
        refusal(&post(&ann, &at(&id, &format!("/ttl/{minutes}"))).await, 400);
    }
    assert_eq!(world.row(&id).await.sandbox.expires_at, None);
}

#[tokio::test(start_paused = true)]
async fn it_is_over_when_its_time_is() {
    let script =
        |_: &_| Script::default().exit("ready", Duration::from_millis(5), 0).on_stop(OnStop::Ignores);
    let world = World::build().script(script).start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({"ttlMinutes": 1})).await;
    world.settle().await;
    world.pass(Duration::from_secs(57)).await;
    let late = post(&ann, &at(&id, "/ttl/10")).await;
    assert!(refusal(&late, 409).contains("about to end"), "in the last seconds it is too late");
    world.pass(Duration::from_secs(3)).await;
    for answer in [
        post(&ann, &at(&id, "/ttl/10")).await,
        ann.delete(&at(&id, "")).await,
        post(&ann, &at(&id, "/last-activity")).await,
    ] {
        assert!(matches!(answer.status.as_u16(), 404 | 409), "{}", answer.text());
    }
    let shown = ann.get(&at(&id, "")).await;
    assert!(shown.status == 404 || shown.expect(200)["state"] == "destroying", "{}", shown.text());
    assert_eq!(ann.get(SANDBOX).await.expect(200)["items"], json!([]));
    world.pass(Duration::from_secs(60)).await;
    world.tick().await;
    is_not_found(&ann.get(&at(&id, "")).await);
    is_not_found(&post(&ann, &at(&id, "/ttl/10")).await);
}

#[tokio::test(start_paused = true)]
async fn labels_are_replaced() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({"labels": {"a": "1", "b": "2"}})).await;
    let put = async |body: Value| {
        let path = at(&id, "/labels");
        ann.request(Method::PUT, &path).json(&body).send().await
    };
    let other = json!({"labels": {"b": "3", "code-toolbox-language": "python"}});
    assert_eq!(put(other.clone()).await.expect(200), other);
    assert_eq!(ann.get(&at(&id, "")).await.expect(200)["labels"], other["labels"]);
    let many: std::collections::BTreeMap<_, _> = (0..51).map(|n| (format!("n{n}"), "x")).collect();
    for body in [json!({}), json!({"labels": ["a"]}), json!({"labels": {"a": 1}}), json!({"labels": many})] {
        refusal(&put(body).await, 400);
    }
    ann.delete(&at(&id, "")).await.expect(200);
    is_in_progress(&put(other).await);
}

#[tokio::test(start_paused = true)]
async fn what_promises_a_kept_disk_is_refused_with_a_sentence() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = created(&ann, json!({})).await;
    world.settle().await;
    let before = world.items();
    for rest in ["start", "pause", "resume", "recover", "archive", "fork", "snapshot"] {
        let why = refusal(&post(&ann, &at(&id, &format!("/{rest}"))).await, 400);
        assert!(why.contains(NO_DISK), "{rest}: {why}");
    }
    for interval in ["autostop", "autopause", "autoarchive", "autodelete"] {
        for minutes in ["-1", "15", "x"] {
            let why = refusal(&post(&ann, &at(&id, &format!("/{interval}/{minutes}"))).await, 400);
            assert!(why.contains(NO_DISK), "{interval}: {why}");
        }
        is_sandbox(
            &post(&ann, &at(&id, &format!("/{interval}/0"))).await.expect(200),
            &["errorReason", "autoDestroyAt"],
        );
    }
    for field in ["autoStopInterval", "autoPauseInterval", "autoArchiveInterval", "autoDeleteInterval"] {
        for minutes in [-1, 15] {
            let why = refusal(&ann.post(SANDBOX, json!({field: minutes})).await, 400);
            assert!(why.starts_with(field) && why.contains(NO_DISK), "{why}");
        }
    }
    assert_eq!(world.items(), before);
    create(&ann, json!({"autoDeleteInterval": 0, "autoStopInterval": 0})).await;
}

#[tokio::test(start_paused = true)]
async fn an_image_is_a_snapshot_or_a_dockerfile_of_one_line() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let default = create(&ann, json!({})).await["snapshot"].clone();
    assert_eq!(default, "daytona-small");
    for (body, image) in [
        (json!({"snapshot": "daytona-small"}), "daytona-small"),
        (json!({"snapshot": "debian:12"}), "debian:12"),
        (json!({"buildInfo": {"dockerfileContent": "FROM debian:12\n"}}), "debian:12"),
    ] {
        assert_eq!(create(&ann, body.clone()).await["snapshot"], image, "{body}");
    }
    for text in ["FROM debian:12\nRUN true\n", "debian:12", "FROM ", "FROM a AS b", ""] {
        let body = json!({"buildInfo": {"dockerfileContent": text}});
        assert!(refusal(&ann.post(SANDBOX, body).await, 400).contains("builds no images"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_cannot_be_is_a_bad_request() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let before = world.items();
    for body in [
        json!({"name": ""}),
        json!({"name": "a/b"}),
        json!({"name": 7}),
        json!({"snapshot": ""}),
        json!({"snapshot": 7}),
        json!({"snapshot": "x".repeat(513)}),
        json!({"ttlMinutes": -1}),
        json!({"ttlMinutes": 1441}),
        json!({"ttlMinutes": "60"}),
        json!({"autoStopInterval": "0"}),
        json!({"env": {"A": 1}}),
        json!({"env": {"a b": "1"}}),
        json!({"env": ["A"]}),
        json!({"labels": {"a": null}}),
        json!({"labels": {"": "a"}}),
        json!({"target": 1}),
        json!({"cpu": 2}),
        json!({"cpu": "1"}),
        json!({"memory": 8}),
        json!({"disk": 100}),
        json!({"gpu": 1}),
        json!({"user": "somebody"}),
        json!({"public": true}),
        json!({"public": "no"}),
        json!({"networkBlockAll": true}),
        json!({"networkAllowList": "10.0.0.0/8"}),
        json!({"kvm": true}),
        json!({"volumes": [{"volumeId": "v", "mountPath": "/v"}]}),
        json!({"secrets": [{"A": "b"}]}),
        json!(["one"]),
    ] {
        let why = refusal(&ann.post(SANDBOX, body.clone()).await, 400);
        assert!(!why.is_empty(), "{body}");
    }
    refusal(&ann.request(Method::POST, SANDBOX).body("{").send().await, 400);
    assert_eq!(world.items(), before);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_or_as_it_is_anyway_is_accepted() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let body = json!({
        "class": "small", "target": "eu", "cpu": 1, "memory": 1, "disk": 20, "gpu": 0, "user": "root", "public": false,
        "volumes": [], "secrets": [], "kvm": false, "ttlMinutes": 0, "env": {}, "name": null, "queueTimeout": 5,
    });
    let made = create(&ann, body).await;
    assert_eq!(made["target"], "us-east-1", "it says where it is, not where it was wished to be");
    is_sandbox(&made, &["errorReason", "autoDestroyAt"]);
    assert!(ann.request(Method::POST, SANDBOX).send().await.status.is_success(), "all is optional");
}

#[tokio::test(start_paused = true)]
async fn the_toolbox_and_activity_are_of_what_lives() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let made = create(&ann, json!({})).await;
    let id = made["id"].as_str().unwrap();
    let told = ann.get(&at(id, "/toolbox-proxy-url")).await.expect(200);
    assert_eq!(told, json!({"url": made["toolboxProxyUrl"]}));
    let before = world.items();
    let touched = post(&ann, &at(id, "/last-activity")).await;
    assert_eq!((touched.status.as_u16(), touched.body.len()), (201, 0));
    assert_eq!(world.items(), before);
    ann.delete(&at(id, "")).await.expect(200);
    is_in_progress(&post(&ann, &at(id, "/last-activity")).await);
    is_in_progress(&ann.get(&at(id, "/toolbox-proxy-url")).await);
}

#[tokio::test(start_paused = true)]
async fn there_are_no_events_and_a_wrong_key_is_told() {
    let world = World::start().await;
    let guest = world.guest();
    let socket = guest.get("/daytona/socket.io/?EIO=4&transport=websocket").await;
    assert_eq!(socket.expect(404)["path"], "/daytona/socket.io/");
    refusal(&guest.get(SANDBOX).await, 401);
    refusal(&guest.with_token("dtn_nobody").get(SANDBOX).await, 401);
    refusal(&guest.with_token("mbx_nobody").post(SANDBOX, json!({})).await, 401);
}

#[tokio::test(start_paused = true)]
async fn it_calls_the_table_as_often_as_the_modbox_api_does() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let (native, made) = world.counting("api", ann.post("/sandboxes", json!({}))).await;
    let (door, same) = world.counting("api", ann.post(SANDBOX, json!({}))).await;
    assert_eq!(same, made);
    let ids = [native.expect(201)["sandbox_id"].clone(), door.expect(200)["id"].clone()];
    let [native, door] = ids.each_ref().map(|id| id.as_str().unwrap());
    world.settle().await;
    let native_get = (Method::GET, format!("/sandboxes/{native}"));
    let native_extend = (Method::POST, format!("/sandboxes/{native}/extend"));
    for (theirs, ours, body) in [
        ((Method::GET, at(door, "")), native_get.clone(), json!({})),
        ((Method::POST, at(door, "/autostop/0")), native_get.clone(), json!({})),
        ((Method::POST, at(door, "/last-activity")), native_get, json!({})),
        ((Method::GET, SANDBOX.to_owned()), (Method::GET, "/sandboxes?limit=100".to_owned()), json!({})),
        ((Method::POST, at(door, "/ttl/5")), native_extend, json!({"ttl_seconds": 60})),
        ((Method::DELETE, at(door, "")), (Method::DELETE, format!("/sandboxes/{native}")), json!({})),
    ] {
        let expected = calls_of(&world, &ann, (ours.0, &ours.1), &body).await;
        assert_eq!(calls_of(&world, &ann, (theirs.0, &theirs.1), &body).await, expected, "{}", theirs.1);
    }
}
