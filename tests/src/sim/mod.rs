//! The simulator: the real functions and the real SDK clients on a cloud that misbehaves, all drawn from one seed.
//!
//! A run has two parts. In the first, clients act and whatever can fail does, as the plan decides. In the second,
//! nothing fails any more, and everything must come to rest; then all is destroyed, and must come to rest again.
//! Time is tokio's paused time, so a day passes in a moment; nothing reads the wall clock or opens a socket.

mod checks;
mod choice;
mod clients;
mod delivery;
mod figures;
mod indexes;
mod invocation;
mod mutant;
mod network;
mod points;
mod rows;
mod run;
mod shrink;
mod tasks;
mod trace;

pub use choice::{InvalidPlan, Made, Plan};
pub use figures::Figures;
pub use mutant::Mutant;
pub use points::{Point, points};
pub use run::{Outcome, run};
pub use shrink::{Caught, Shrunk, catch, shrink};
