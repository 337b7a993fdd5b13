//! Whatever is sent to whichever route: an answer below 500, in the one form.

use axum::http::Method;
use modbox_tests::{Answer, Client, World};
use proptest::{
    collection::{btree_map, vec},
    prelude::{Just, Strategy, any, prop_oneof},
    prop_assert, sample,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use super::routes::{ALL, Guard, Route};

/// A world with sandboxes of ann's in it, and who calls.
struct Stage {
    runtime: Runtime,
    ann: Client,
    sidecar: Client,
    id: String,
    _world: World,
}

impl Stage {
    fn set() -> Self {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let (world, ann, id) = runtime.block_on(async {
            let world = World::start().await;
            let ann = world.user("ann").await;
            let id = ann.create(json!({"task_id": "one"})).await;
            world.settle().await;
            (world, ann, id)
        });
        Self { sidecar: world.sidecar(&id), runtime, ann, id, _world: world }
    }

    fn caller(&self, route: &Route) -> &Client {
        if route.guard == Guard::Task { &self.sidecar } else { &self.ann }
    }

    fn send(&self, method: Method, (path, client): (&str, &Client), body: &[u8]) -> Answer {
        self.runtime.block_on(client.request(method, path).body(body).send())
    }
}

fn in_form(answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(!answer.status.is_server_error(), "{}", answer.text());
    prop_assert!(answer.header("x-request-id").is_some());
    if answer.status.is_success() && answer.header("content-type") == Some("text/html; charset=utf-8") {
        return Ok(());
    }
    let body = answer.json();
    if answer.status.is_client_error() {
        prop_assert!(body["error"]["code"].is_string(), "{body}");
        prop_assert!(body["error"]["message"].is_string(), "{body}");
    }
    Ok(())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        sample::select(vec![59, 60, 61, 86_400, 86_401]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        sample::select(vec!["one", "a/b", "7e9b5a8e-1f6c-4d2a-9b3e-000000000000"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..6).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

/// Objects whose members are known ones, with any values.
fn request() -> impl Strategy<Value = Value> {
    let known = vec![
        "task_id",
        "image_id",
        "image",
        "ttl_seconds",
        "env_vars",
        "client_reference",
        "fast_start",
        "timeout",
        "poll_interval",
    ];
    btree_map(sample::select(known).prop_map(str::to_owned), json_value(), 0..5)
        .prop_map(|map| map.into_iter().collect())
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => request().prop_map(|value| value.to_string().into_bytes()),
        2 => json_value().prop_map(|value| value.to_string().into_bytes()),
        1 => vec(any::<u8>(), 0..200),
    ]
}

/// Bytes that HTTP allows in the value of a header.
fn header_value() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\t'), 0x20_u8..=0x7e, 0x80_u8..=0xff], 0..300)
}

/// A path segment as HTTP allows it, percent-encoded where it must be.
fn segment() -> impl Strategy<Value = String> {
    vec(any::<u8>(), 1..40).prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02X}")).collect())
}

fn any_route() -> impl Strategy<Value = Route> {
    sample::select(ALL.to_vec())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

#[test]
fn any_body_on_any_route_is_answered() {
    let stage = Stage::set();
    let outcome = runner(600).run(&(any_route(), body()), |(route, body)| {
        let path = route.path_to(&stage.id, "one");
        in_form(&stage.send(route.method.clone(), (&path, stage.caller(&route)), &body))
    });
    outcome.unwrap();
}

#[test]
fn any_header_on_any_route_is_answered() {
    let names = [
        "authorization",
        "idempotency-key",
        "host",
        "x-forwarded-proto",
        "x-request-id",
        "x-fern-sdk-name",
        "x-fern-sdk-version",
        "content-type",
        "content-length",
        "x-workspace-id",
    ];
    let stage = Stage::set();
    let inputs = (any_route(), sample::select(names.to_vec()), header_value());
    let outcome = runner(600).run(&inputs, |(route, name, value)| {
        let client = stage.caller(&route).with_header(name, value);
        in_form(&stage.send(route.method.clone(), (&route.path_to(&stage.id, "one"), &client), b"{}"))
    });
    outcome.unwrap();
}

#[test]
fn any_path_and_method_are_answered() {
    let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    let stage = Stage::set();
    let inputs = (any_route(), sample::select(methods.to_vec()), segment(), segment());
    let outcome = runner(600).run(&inputs, |(route, method, segment, query)| {
        let path = format!("{}?status={query}", route.path_to(&segment, &segment));
        in_form(&stage.send(method, (&path, stage.caller(&route)), b"{}"))
    });
    outcome.unwrap();
}
