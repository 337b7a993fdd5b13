//! The world that the tests live in: the whole stack in one process, on a clock that only the test turns.
//!
//! ```no_run
//! # use modbox_tests::World;
//! # use serde_json::json;
//! #[tokio::test(start_paused = true)]
//! async fn a_sandbox_becomes_ready() {
//!     let world = World::start().await;
//!     let ann = world.user("ann").await;
//!     let created = ann.post("/sandboxes", json!({"task_id": "one"})).await;
//!     world.settle().await;
//! }
//! ```
//!
//! What runs is what is deployed: the router, the four functions and the event plumbing are the product's, and behind
//! the AWS SDK stands the local cloud. Only the containers are simulated.

mod builder;
mod client;
mod clock;
mod faults;
mod ids;
mod log;
pub mod model;
mod secrets;
pub mod sim;
mod used;
mod world;

pub use builder::Builder;
pub use client::{Answer, Client, Request};
pub use clock::TestClock;
pub use faults::{Fault, Faults};
pub use ids::SeededIds;
pub use modbox_local::ecs::simulated::{OnStop, Script, Simulated, Start};
pub use secrets::Secrets;
pub use used::{Use, Used};
pub use world::World;
