//! The product's tests, in one binary.

mod api;
mod docs;
mod doors;
mod events;
mod infra;
mod lifecycle;
mod model;
mod openapi;
mod simulation;
