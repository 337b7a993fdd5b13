//! Modbox over HTTP: one `tower` service, the same in Lambda and on one machine.
//!
//! A dialect is a directory: its routes, wire types and error body. It maps what the core says and decides nothing.

mod answer;
mod auth;
mod body;
mod cursor;
mod daytona;
mod error;
mod hopx;
mod moment;
mod native;
mod openapi;
mod order;
mod origin;
mod path;
mod query;
mod request_id;
mod shown;
mod vercel;

use std::time::Duration;

use axum::Router;
use modbox_control::Api;

/// The longest that a request may wait, where what carries it gives up sooner than the dialect's own limit.
///
/// An extension of the request, set by whoever knows the carrier.
#[derive(Clone, Copy, Debug)]
pub struct MaxWait(pub Duration);

/// Every dialect, on one router: the Modbox API, and below a path of their own the doors of others.
///
/// All speak of the same sandboxes.
pub fn router(api: Api) -> Router {
    native::router(api.clone())
        .nest(daytona::PREFIX, daytona::router(api.clone()))
        .nest("/hopx", hopx::router(api.clone()))
        .nest("/vercel/api", vercel::router(api))
}
