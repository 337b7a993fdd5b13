//! The product's tests, in one binary.

mod api;
mod docs;
mod lifecycle;
mod openapi;
