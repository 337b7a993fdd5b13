use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use axum::{Json, Router};
use modbox_drain::drain;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::{Runtime, auth, exec, files};

/// Everything that the runtime answers.
pub(crate) fn routes(runtime: Arc<Runtime>) -> Router {
    let api = Router::new()
        .route("/exec", post(exec::exec))
        .route("/files", get(files::list).delete(files::delete))
        .route("/files/download", get(files::download))
        .route("/files/upload", post(files::upload))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(from_fn_with_state(runtime.clone(), auth::require_token));
    Router::new()
        .route("/", get(healthy))
        .route("/healthz", get(healthy))
        .method_not_allowed_fallback(method_not_allowed)
        .nest("/modbox/api", api)
        .fallback(not_found)
        .layer(from_fn(drain))
        .with_state(runtime)
}

async fn healthy() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

async fn not_found() -> Failure {
    Failure::NotFound
}

async fn method_not_allowed() -> Failure {
    Failure::MethodNotAllowed
}
