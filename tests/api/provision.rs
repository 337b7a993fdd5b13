//! POST /sandboxes/provision and POST /sandboxes.

use std::time::Duration;

use insta::{allow_duplicates, assert_json_snapshot};
use modbox_tests::World;
use serde_json::{Value, json};

const BOTH: [(&str, u16); 2] = [("/sandboxes/provision", 200), ("/sandboxes", 201)];

#[tokio::test(start_paused = true)]
async fn both_generations_answer_the_same_each_with_its_own_status() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    for (path, status) in BOTH {
        let answer = ann.post(path, json!({"task_id": path.replace('/', "."), "ttl_seconds": 600})).await;
        let answer = answer.expect(status);
        let id = answer["sandbox_id"].as_str().unwrap();
        assert_eq!(id.len(), 36);
        let base = answer["endpoint"]["base_url"].as_str().unwrap();
        assert_eq!(answer["endpoint"]["api_url"], format!("{base}/modbox/api"));
        assert_eq!(answer["capabilities"]["exec"], format!("{base}/modbox/api/exec"));
        assert_eq!(answer["capabilities"]["files"], format!("{base}/modbox/api/files"));
        let token = answer["endpoint"]["access_token"].as_str().unwrap();
        assert!(token.starts_with("sbx_") && token.len() == 68, "{token}");
        allow_duplicates! {
            assert_json_snapshot!(answer, {
                ".sandbox_id" => "[id]",
                ".endpoint.base_url" => "[url]",
                ".endpoint.api_url" => "[url]",
                ".endpoint.access_token" => "[token]",
                ".capabilities.exec" => "[url]",
                ".capabilities.files" => "[url]",
            }, @r#"
            {
              "capabilities": {
                "exec": "[url]",
                "files": "[url]"
              },
              "endpoint": {
                "access_token": "[token]",
                "api_url": "[url]",
                "base_url": "[url]"
              },
              "error": null,
              "expires_at": "2027-01-15T08:10:00.200Z",
              "sandbox_id": "[id]",
              "sandbox_url": null,
              "status": "provisioning",
              "success": true
            }
            "#);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_answers_before_any_task_is_asked_for() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let before = world.now();
    let id = ann.create(json!({})).await;
    assert_eq!(world.now(), before);
    assert_eq!(world.engine.started(), 0);
    assert_eq!(ann.detail(&id).await["status"], "provisioning");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_counts_from_the_creation() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let before = world.now() + Duration::from_secs(60);
    let answer = ann.post("/sandboxes", json!({"ttl_seconds": 60})).await.expect(201);
    let id = answer["sandbox_id"].as_str().unwrap();
    assert_eq!(world.row(id).await.sandbox.expires_at, Some(before));
    assert_eq!(answer["expires_at"], ann.detail(id).await["expires_at"]);
}

#[tokio::test(start_paused = true)]
async fn null_is_absent_in_every_optional_field() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let nulls = json!({
        "task_id": null, "image_id": null, "image": null, "ttl_seconds": null, "env_vars": null,
        "client_reference": null, "fast_start": null,
    });
    let ids = [ann.create(nulls).await, ann.create(json!({})).await];
    for id in ids {
        let sandbox = world.row(&id).await.sandbox;
        assert_eq!(sandbox.name.as_str(), format!("sandbox-{id}"));
        assert_eq!(sandbox.spec.image, "modbox/sandbox-lite");
        assert_eq!(sandbox.expires_at, None);
        assert_eq!(sandbox.spec.client_reference, None);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_body_is_one_without_members() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.request(axum::http::Method::POST, "/sandboxes").send().await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn every_given_field_is_kept() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let id = ann
        .create(json!({
            "task_id": "pr 17 – préview", "image": "ghcr.io/acme/app:1", "ttl_seconds": 86_400,
            "env_vars": {"A": "1"}, "client_reference": "order 9", "fast_start": true,
        }))
        .await;
    let sandbox = world.row(&id).await.sandbox;
    assert_eq!(sandbox.name.as_str(), "pr 17 – préview");
    assert_eq!(sandbox.owner.as_str(), "ann");
    assert_eq!(sandbox.spec.image, "ghcr.io/acme/app:1");
    assert_eq!(sandbox.spec.client_reference.as_deref(), Some("order 9"));
    assert_eq!(sandbox.spec.api_url, "http://api.modbox.test");
}

#[tokio::test(start_paused = true)]
async fn unknown_fields_are_ignored() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    ann.create(json!({"task_id": "one", "colour": "red", "nested": {"deep": [1, null]}})).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_body_says_it_is_does_not_matter() {
    let world = World::start().await;
    let ann = world.user("ann").await.with_header("content-type", "application/x-www-form-urlencoded");
    let request = ann.request(axum::http::Method::POST, "/sandboxes");
    request.body(r#"{"task_id": "curl -d"}"#).send().await.expect(201);
    ann.detail("curl%20-d").await;
}

#[tokio::test(start_paused = true)]
async fn an_image_of_the_callers_own_has_no_capabilities_that_we_know_of() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let answer = ann.post("/sandboxes", json!({"image": "nginx"})).await.expect(201);
    assert_eq!(answer["capabilities"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn tokens_of_two_sandboxes_differ() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let token =
        async || ann.post("/sandboxes", json!({})).await.expect(201)["endpoint"]["access_token"].take();
    let (one, other): (Value, Value) = (token().await, token().await);
    assert_ne!(one, other);
}

#[tokio::test(start_paused = true)]
async fn the_sidecars_are_told_the_address_by_which_the_caller_came() {
    let world = World::start().await;
    let ann = world.user("ann").await;
    let behind_tls = ann.with_header("host", "abc.lambda-url.test").with_header("x-forwarded-proto", "https");
    let id = behind_tls.create(json!({})).await;
    assert_eq!(world.row(&id).await.sandbox.spec.api_url, "https://abc.lambda-url.test");
}
