//! The product's tests, in one binary.

mod api;
mod check;
mod docs;
mod events;
mod infra;
mod lifecycle;
mod model;
mod openapi;
mod simulation;
