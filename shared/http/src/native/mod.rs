//! The Modbox API, both generations of its sandbox routes.

mod destroy;
mod detail;
mod document;
mod envelope;
mod extend;
mod health;
mod idempotency_key;
mod kill;
mod list;
mod monitoring;
mod provision;
mod realm;
mod refusals;
mod sidecar;
mod status;
mod wait;
mod wire;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use modbox_control::Api;

use crate::{body::MAX_BODY, error::ApiError, openapi};

pub(crate) use document::document;

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/openapi.json", get(openapi::openapi_json))
        .route("/docs", get(openapi::docs))
        // Keyed by the caller's own name.
        .route("/sandboxes/provision", post(provision::provision))
        .route("/sandboxes/wait", post(wait::wait_by_name))
        .route("/sandboxes/destroy", post(destroy::destroy_by_name))
        .route("/sandboxes/detail/{sandbox_id}", get(detail::detail))
        .route("/sandboxes/status/{task_id}", get(status::status_by_name))
        .route("/sandboxes/realm/{realm}", get(realm::list_realm))
        // Keyed by id.
        .route("/sandboxes", get(list::list).post(provision::create))
        .route("/sandboxes/{sandbox_id}", get(detail::get).delete(destroy::destroy))
        .route("/sandboxes/{sandbox_id}/status", get(status::status))
        .route("/sandboxes/{sandbox_id}/wait", post(wait::wait))
        .route("/sandboxes/{sandbox_id}/monitoring", get(monitoring::monitoring))
        .route("/sandbox/monitoring/{sandbox_id}", get(monitoring::monitoring))
        // Ours.
        .route("/sandboxes/{sandbox_id}/extend", post(extend::extend))
        .route("/sandboxes/{sandbox_id}/kill", post(kill::kill))
        // For the sidecars of a task.
        .route("/sandboxes/{sandbox_id}/deadline", get(sidecar::deadline))
        .route("/sandboxes/{sandbox_id}/ready", post(sidecar::ready))
        .fallback(async || ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), envelope::wrap))
        .with_state(api)
}
