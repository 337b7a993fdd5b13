//! The one form of every error.

use std::collections::BTreeSet;

use axum::http::Method;
use insta::assert_json_snapshot;
use modbox_local::stack::TABLE;
use modbox_tests::{Answer, Client, Fault, World};
use serde_json::{Value, json};

/// Asserts what holds of every error, and hands back its body.
#[track_caller]
fn check(answer: &Answer, status: u16, code: &str) -> Value {
    let body = answer.expect(status);
    assert_eq!(body["error"]["code"], code);
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    assert!(body["error"]["retryable"].is_boolean());
    let request_id = body["error"]["request_id"].as_str().unwrap();
    assert!(request_id.starts_with("req_"));
    assert_eq!(answer.header("x-request-id"), Some(request_id));
    if status != 422 {
        assert_eq!(body["detail"], body["error"]["message"]);
        assert_eq!(body["error"].get("details"), None);
    }
    body
}

#[tokio::test(start_paused = true)]
async fn every_status_has_the_one_form() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    let large = ann.request(Method::POST, "/sandboxes").body(vec![b' '; 1_000_001]).send().await;
    check(&large, 413, "payload_too_large");
    check(&world.guest().get("/sandboxes").await, 401, "unauthenticated");
    check(&ann.get("/sandboxes/nobody").await, 404, "sandbox_not_found");
    check(&ann.get("/nowhere").await, 404, "not_found");
    check(&ann.get("/").await, 404, "not_found");
    check(&ann.get("/sandboxes/").await, 404, "not_found");
    check(&ann.get("/sandboxes/one/nothing").await, 404, "not_found");
    check(&ann.delete("/sandboxes").await, 405, "method_not_allowed");
    check(&ann.post("/sandboxes", json!({"task_id": "one"})).await, 409, "sandbox_name_conflict");
    check(&ann.post("/sandboxes", json!({"task_id": 1})).await, 422, "validation_error");
}

#[tokio::test(start_paused = true)]
async fn an_unrouted_path_says_nothing_more_without_a_token() {
    let world = World::start().await;
    check(&world.guest().get("/nowhere").await, 404, "not_found");
    check(&world.guest().request(Method::PUT, "/sandboxes").send().await, 405, "method_not_allowed");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_told_which_are_right() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (method, path, allowed) in [
        (Method::DELETE, "/sandboxes", "GET,HEAD,POST"),
        (Method::GET, "/sandboxes/provision", "POST"),
        (Method::POST, "/sandboxes/one", "GET,HEAD,DELETE"),
        (Method::POST, "/health", "GET,HEAD"),
    ] {
        let answer = ann.request(method, path).send().await;
        check(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some(allowed), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_of_names_says_what_to_do() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one"})).await;
    let answer = ann.post("/sandboxes", json!({"task_id": "one"})).await.expect(409);
    assert_json_snapshot!(answer, {".error.request_id" => "[request]"}, @r#"
    {
      "detail": "a live sandbox is already named one",
      "error": {
        "code": "sandbox_name_conflict",
        "hint": "destroy it first, or choose another task_id",
        "message": "a live sandbox is already named one",
        "request_id": "[request]",
        "retryable": false
      }
    }
    "#);
}

#[tokio::test(start_paused = true)]
async fn an_older_caller_gets_the_faults_as_a_list_and_a_newer_one_none() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let bad = json!({"task_id": "", "ttl_seconds": 1});
    let older = ann.post("/sandboxes", bad.clone()).await;
    check(&older, 422, "validation_error");
    assert_json_snapshot!(older.json(), {".error.request_id" => "[request]"}, @r#"
    {
      "detail": [
        {
          "loc": [
            "body",
            "task_id"
          ],
          "msg": "must have at least 1 character",
          "type": "value_error"
        },
        {
          "loc": [
            "body",
            "ttl_seconds"
          ],
          "msg": "must be from 60 to 86400",
          "type": "out_of_range"
        }
      ],
      "error": {
        "code": "validation_error",
        "details": [
          {
            "field": "body.task_id",
            "issue": "must have at least 1 character"
          },
          {
            "field": "body.ttl_seconds",
            "issue": "must be from 60 to 86400"
          }
        ],
        "message": "body.task_id: must have at least 1 character",
        "request_id": "[request]",
        "retryable": false
      }
    }
    "#);

    let sdk = |version: &str| {
        ann.with_header("x-fern-sdk-name", "modbox-sdk").with_header("x-fern-sdk-version", version)
    };
    for (client, listed) in [
        (sdk("0.0.3"), true),
        (sdk("0.0.10"), true),
        (sdk("0.0.12"), false),
        (sdk("0.0.21"), false),
        (sdk("1.0.0"), false),
        (sdk("0.0.21").with_header("x-fern-sdk-name", "another"), true),
    ] {
        let body = client.post("/sandboxes", bad.clone()).await.expect(422);
        assert_eq!(body["detail"].is_array(), listed, "{client:?}");
        assert_eq!(body["detail"].is_null(), !listed, "{client:?}");
        assert_eq!(body["error"]["details"], older.json()["error"]["details"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_newer_caller_gets_the_message_elsewhere() {
    let world = World::start().await;
    let ann = world.user("ann").await.with_header("x-fern-sdk-name", "modbox-sdk");
    check(
        &ann.with_header("x-fern-sdk-version", "0.0.21").get("/sandboxes/nobody").await,
        404,
        "sandbox_not_found",
    );
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_a_request_id_of_its_own() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let mut ids = BTreeSet::new();
    for path in ["/health", "/sandboxes", "/sandboxes/nobody", "/nowhere", "/health"] {
        let answer = ann.with_header("x-request-id", "mine").get(path).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id.starts_with("req_"), "{id}");
        assert!(ids.insert(id));
    }
}

/// What the API answers while every call of its own to AWS ends like this.
async fn under(world: &World, client: &Client, fault: Fault) -> Vec<Answer> {
    world.faults.set(move |call| if call.caller == "api" { fault.clone() } else { Fault::None });
    let answers = vec![
        client.get("/sandboxes").await,
        client.get("/sandboxes/one").await,
        client.post("/sandboxes", json!({})).await,
        client.delete("/sandboxes/one").await,
        client.post("/sandboxes/wait", json!({"task_id": "one"})).await,
    ];
    world.faults.clear();
    answers
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_aws_is_503_and_may_be_tried_again() {
    for fault in [Fault::down(), Fault::throttled(), Fault::Hangs] {
        let world = World::start().await;
        let ann = world.user("ann").await;
        ann.create(json!({"task_id": "one"})).await;
        for answer in under(&world, &ann, fault).await {
            let body = check(&answer, 503, "upstream_error");
            assert_eq!(body["error"]["retryable"], true);
            assert!(!answer.text().contains("out of order"));
        }
        ann.detail("one").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_is_500_and_tells_nothing_of_itself() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = "7e9b5a8e-1f6c-4d2a-9b3e-000000000000";
    let key = json!({"S": format!("SANDBOX#{id}")});
    let item = json!({"pk": key, "sk": key, "state": {"S": "hunter2"}, "owner": {"S": "ann"}});
    world.stack.dynamo.call("PutItem", json!({"TableName": TABLE, "Item": item})).unwrap();
    let answer = ann.get(&format!("/sandboxes/{id}")).await;
    let body = check(&answer, 500, "internal_error");
    assert_eq!(body["error"]["message"], "something failed on our side");
}
