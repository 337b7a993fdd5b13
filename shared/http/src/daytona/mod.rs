//! The lifecycle calls of Daytona, for its official SDKs with another base URL.
//!
//! A sandbox here is known by its id, or else by its name. One that is over reads as being destroyed until its task is
//! known to have ended, and is not found from then on; one that failed is shown with the reason until it is deleted.

mod activity;
mod caller;
mod create;
mod delete;
mod error;
mod get;
mod interval;
mod labels;
mod list;
mod refused;
mod state;
mod toolbox;
mod ttl;
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

/// Below which path the door is.
pub(crate) const PREFIX: &str = "/daytona";

pub(crate) fn router(api: Api) -> Router {
    Router::new()
        .route("/sandbox", get(list::list).post(create::create))
        .route("/sandbox/{id_or_name}", get(get::get).delete(delete::delete))
        .route("/sandbox/{id_or_name}/stop", post(delete::stop))
        .route("/sandbox/{id_or_name}/labels", put(labels::replace))
        .route("/sandbox/{id_or_name}/last-activity", post(activity::touch))
        .route("/sandbox/{id_or_name}/toolbox-proxy-url", get(toolbox::url))
        .route("/sandbox/{id_or_name}/ttl/{minutes}", post(ttl::set_ttl))
        // Of these there is only 0.
        .route("/sandbox/{id_or_name}/autostop/{minutes}", post(interval::set_interval))
        .route("/sandbox/{id_or_name}/autopause/{minutes}", post(interval::set_interval))
        .route("/sandbox/{id_or_name}/autoarchive/{minutes}", post(interval::set_interval))
        .route("/sandbox/{id_or_name}/autodelete/{minutes}", post(interval::set_interval))
        // What promises a disk that is kept.
        .route("/sandbox/{id_or_name}/start", post(refused::refuse))
        .route("/sandbox/{id_or_name}/pause", post(refused::refuse))
        .route("/sandbox/{id_or_name}/resume", post(refused::refuse))
        .route("/sandbox/{id_or_name}/recover", post(refused::refuse))
        .route("/sandbox/{id_or_name}/archive", post(refused::refuse))
        .route("/sandbox/{id_or_name}/fork", post(refused::refuse))
        .route("/sandbox/{id_or_name}/snapshot", post(refused::refuse))
        // The SDKs look for events at `/socket.io/`, and ask for the state themselves where there are none.
        .fallback(async || ApiError::of_status(StatusCode::NOT_FOUND))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(api.clone(), error::wrap))
        .with_state(api)
}
