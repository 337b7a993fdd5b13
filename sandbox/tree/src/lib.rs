//! Processes as `/proc` shows them, and how to end all of a tree: what setsid's, double-forks or forks fast included.
//!
//! A process is found by its parents (`descendants`) and by a mark in its first environment (`marked`). The first
//! is complete below a child subreaper, since nothing leaves its tree; the second finds orphans of one command among
//! others of the same subreaper. What is asked is asked of one moment: a caller that must be sure asks again until
//! nothing is found ([`kill_pass`] says whether something was).

mod end;
mod identity;
mod process;
mod usage;

pub use end::{kill_pass, kill_tree, signal};
pub use identity::{Identity, NoIdentity};
pub use process::{Process, children, descendants, descendants_in, marked, read, snapshot};
pub use rustix::process::{Pid, Signal};
pub use usage::{Usage, usage_below, usage_beside};
