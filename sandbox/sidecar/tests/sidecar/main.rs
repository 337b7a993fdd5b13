//! The sidecar as a program, with real processes, signals and connections.
#![expect(clippy::unwrap_used, reason = "a world that cannot be set up has failed its test")]

mod deadline;
mod logs;
mod ready;
mod scene;
mod supervise;
mod usage;
mod world;
