//! The Modbox API over HTTP, one file per concern.

mod anything;
mod auth;
mod calls;
mod destroy;
mod detail;
mod envelope;
mod environment;
mod extend;
mod health;
mod idempotency;
mod input;
mod kill;
mod list;
mod monitoring;
mod names;
mod pages;
mod provision;
pub(crate) mod routes;
mod secrets;
mod sidecar;
mod status;
mod users;
mod wait;
mod workspaces;
mod world;
