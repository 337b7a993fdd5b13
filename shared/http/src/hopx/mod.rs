//! The lifecycle calls of HopX, for its official SDKs with another base URL.
//!
//! A sandbox here is known by its id alone. One that is over is gone: 404, for whatever reason it ended.

mod create;
mod end;
mod error;
mod get;
mod health;
mod list;
mod refused;
mod template;
mod timeout;
mod token;
mod wire;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post, put},
};
use modbox_control::Api;

use crate::{body::MAX_BODY, error::ApiError};

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/health", get(health::health))
        .route("/v1/sandboxes", get(list::list).post(create::create))
        .route("/v1/sandboxes/{id}", get(get::get).delete(end::delete))
        .route("/v1/sandboxes/{id}/kill", post(end::kill))
        .route("/v1/sandboxes/{id}/timeout", put(timeout::set_timeout))
        .route("/v1/sandboxes/{id}/token/refresh", post(token::refresh))
        .route("/v1/templates", get(template::list))
        .route("/v1/templates/{name}", get(template::get))
        // What promises a disk that is kept.
        .route("/v1/sandboxes/{id}/pause", post(refused::refuse))
        .route("/v1/sandboxes/{id}/resume", post(refused::refuse))
        .route("/v1/sandboxes/{id}/start", post(refused::refuse))
        .route("/v1/sandboxes/{id}/stop", post(refused::refuse))
        .fallback(async || ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), error::wrap))
        .with_state(api)
}
