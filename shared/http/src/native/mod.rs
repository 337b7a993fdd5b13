//! The Modbox API, both generations of its sandbox routes.

mod body;
mod cursor;
mod destroy;
mod detail;
mod envelope;
mod extend;
mod health;
mod kill;
mod list;
mod provision;
mod realm;
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

use crate::error::ApiError;

/// No body may be larger, in bytes.
const MAX_BODY: usize = 1_000_000;

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/health", get(health::health))
        // Keyed by the caller's own name.
        .route("/sandboxes/provision", post(provision::provision))
        .route("/sandboxes/wait", post(wait::wait_by_name))
        .route("/sandboxes/destroy", post(destroy::destroy_by_name))
        .route("/sandboxes/detail/{sandbox}", get(detail::detail))
        .route("/sandboxes/status/{task_id}", get(status::status_by_name))
        .route("/sandboxes/realm/{realm}", get(realm::list_realm))
        // Keyed by id.
        .route("/sandboxes", get(list::list).post(provision::create))
        .route("/sandboxes/{sandbox}", get(detail::detail).delete(destroy::destroy))
        .route("/sandboxes/{sandbox}/status", get(status::status))
        .route("/sandboxes/{sandbox}/wait", post(wait::wait))
        // Ours.
        .route("/sandboxes/{sandbox}/extend", post(extend::extend))
        .route("/sandboxes/{sandbox}/kill", post(kill::kill))
        // For the sidecars of a task.
        .route("/sandboxes/{sandbox}/deadline", get(sidecar::deadline))
        .route("/sandboxes/{sandbox}/ready", post(sidecar::ready))
        .fallback(async || ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), envelope::wrap))
        .with_state(api)
}
