//! The program `modbox-admin` as its user has it, against the AWS port of a local cloud.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by a panic, in the functions that tests share too"
)]

mod faults;
mod tokens;
mod world;
