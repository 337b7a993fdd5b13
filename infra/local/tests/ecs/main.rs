//! The ECS stand-in, asked in the JSON of its API, with simulated tasks and a clock that only tests turn.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in the functions that tests share too"
)]

mod definitions;
mod launches;
mod lifecycle;
mod queries;
mod restart;
mod sdk;
mod shutdown;
mod world;
