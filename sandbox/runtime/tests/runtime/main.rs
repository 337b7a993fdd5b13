//! The runtime as a program, over HTTP, with real commands.
#![expect(clippy::unwrap_used, reason = "a world that cannot be set up has failed its test")]
#![expect(clippy::indexing_slicing, reason = "JSON answers null for what is not there, and the test fails")]

mod ending;
mod exec;
mod files;
mod log;
mod refusals;
mod world;
