use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// The service runs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HealthResponse {
    /// Always `ok`.
    status: &'static str,
}

/// Answers that the service runs.
#[utoipa::path(
    get, path = "/health", operation_id = "health_check", tag = "system", security(()),
    responses((status = 200, description = "it runs", body = HealthResponse)),
)]
pub(super) async fn health() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok" })
}
