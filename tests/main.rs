//! The product's tests, in one binary.

mod api;
mod docs;
mod events;
mod lifecycle;
mod model;
mod openapi;
mod simulation;
