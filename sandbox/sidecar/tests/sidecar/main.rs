//! The sidecar as a program, with real processes, signals and connections.
#![expect(clippy::unwrap_used, reason = "a world that cannot be set up has failed its test")]

mod deadline;
mod ready;
mod supervise;
mod world;
