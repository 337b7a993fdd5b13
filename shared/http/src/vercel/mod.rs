//! The lifecycle calls of Vercel Sandbox, for its official SDKs with another base URL.
//!
//! A sandbox here is known by its name, and what runs in it by the id of a session: with us the sandbox's own id, since it
//! has one in its life. Its end is the session's; the sandbox is shown as stopped until somebody deletes it.

mod create;
mod end;
mod error;
mod get;
mod list;
mod member;
mod refused;
mod session;
mod timeout;
mod update;
mod wire;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::StatusCode,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use modbox_control::Api;

use crate::{body::MAX_BODY, error::ApiError};

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/v2/sandboxes", get(list::list).post(create::create))
        .route("/v3/sandboxes", post(create::create))
        .route("/v2/sandboxes/{name}", get(get::get).patch(update::update).delete(end::delete))
        .route("/v2/sandboxes/sessions", get(session::list))
        .route("/v2/sandboxes/sessions/{session_id}", get(session::get))
        .route("/v2/sandboxes/sessions/{session_id}/stop", post(end::stop))
        .route("/v2/sandboxes/sessions/{session_id}/extend-timeout", post(timeout::extend))
        // What promises a disk that is kept.
        .route("/v2/sandboxes/{name}/fork", post(refused::fork))
        .route("/v2/sandboxes/sessions/{session_id}/snapshot", post(refused::snapshot))
        .fallback(async || ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), error::wrap))
        .with_state(api)
}
