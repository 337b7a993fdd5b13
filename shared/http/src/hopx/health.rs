//! GET /health.

use axum::Json;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
}

/// Answers anybody that the service runs.
pub(super) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}
