//! HTTP requests as API Gateway and function URLs hand them to `api`.

use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use modbox_control::Api;
use modbox_tests::World;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{ID, TOKEN, event_about, files_of, functions::Functions, text};

/// What the function answers to the text of an event.
async fn answer(api: Api, event: &str) -> (StatusCode, Value) {
    let request = lambda_http::request::from_str(event).expect("it is an event of HTTP");
    let router = modbox_http::router(api).map_request(::api::with_max_wait);
    let response = router.oneshot(request).await.expect("a router always answers");
    let status = response.status();
    let body = response.into_body().collect().await.expect("an answer in memory can be read").to_bytes();
    (status, serde_json::from_slice(&body).expect("every answer is JSON"))
}

async fn world() -> World {
    let world = World::start().await;
    world.stack.admit("ann", TOKEN).await.expect("a token can be stored");
    world
}

#[tokio::test(start_paused = true)]
async fn every_request_is_understood() {
    let world = world().await;
    let functions = Functions::of(&world);
    let mut statuses = Vec::new();
    for file in files_of("api") {
        statuses.push((file.clone(), answer(functions.api(), &text(&file)).await.0.as_u16()));
    }
    let expected = [
        ("api/create", 201),
        ("api/create-by-function-url", 201),
        ("api/destroy", 404),
        ("api/health", 200),
        ("api/list", 200),
    ];
    assert_eq!(statuses, expected.map(|(file, status)| (file.to_owned(), status)));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_the_table_does_not_know_is_refused() {
    let world = World::start().await;
    for file in files_of("api").into_iter().filter(|file| file != "api/health") {
        let (status, _) = answer(Functions::of(&world).api(), &text(&file)).await;
        assert_eq!(status, 401, "{file}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_created_runs_is_listed_and_is_destroyed() {
    let world = world().await;
    let functions = Functions::of(&world);
    let mut ids = Vec::new();
    for file in ["api/create", "api/create-by-function-url"] {
        let (status, created) = answer(functions.api(), &text(file)).await;
        assert_eq!(status, 201, "{created}");
        let host = created["endpoint"]["api_url"].as_str().expect("a URL").to_owned();
        assert!(host.starts_with("http://127."), "{host}");
        ids.push(created["sandbox_id"].as_str().expect("an id").to_owned());
    }
    world.settle().await;
    assert_eq!(world.engine.running().len(), 2);

    let (_, listed) = answer(functions.api(), &text("api/list")).await;
    assert_eq!(listed["total"], 2, "{listed}");
    for id in &ids {
        let destroy = event_about("api/destroy", &[(ID, id)]).to_string();
        let (status, destroyed) = answer(functions.api(), &destroy).await;
        assert_eq!((status, &destroyed["success"]), (StatusCode::OK, &json!(true)));
    }
    world.settle().await;
    assert!(world.engine.running().is_empty());
}
