use axum::Json;
use serde_json::{Value, json};

/// Answers that the service runs; without a token.
pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}
