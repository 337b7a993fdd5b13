//! What runs beside a sandbox. `deadline` ends it on time, whatever else fails; `ready` tells the API that it
//! answers; `deadline --supervise` is both parent and deadline of a sandbox that is a group of processes.
//!
//! What the sandbox has used is told on `deadline`'s standard output, for the log that ECS keeps of it. All else is said
//! by an exit code and, for a supervised task, by its report and the logs that it keeps of its containers.

mod api;
mod clock;
mod countdown;
mod deadline;
mod ready;
mod settings;
mod supervise;
mod usage;
mod watch;

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

pub use api::Deadline;
pub use countdown::Countdown;
pub use modbox_tree as tree;
pub use supervise::{
    ContainerSpec, Ending, LOG_LIMIT, LogLine, ReportLine, Stream, TaskSpec, UnreadableLine, Variables,
};

/// Exit code after SIGTERM, as a shell would give it.
pub const STOPPED_EXIT_CODE: u8 = 143;
/// Exit code after SIGUSR1, which ends a supervised task without grace.
pub const KILLED_EXIT_CODE: u8 = 137;
/// Exit code when the arguments, the environment or the task document are of no use.
pub const USAGE_EXIT_CODE: u8 = 2;

/// Runs the verb that the arguments name (without the program's own name) until it is over; what it returns is the
/// program's exit code. To be called from the main thread, once: supervised processes end with the thread that
/// started them.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let verb: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    match verb.as_slice() {
        ["ready"] => ready::run(),
        ["deadline"] => deadline::run(),
        ["deadline", "--supervise"] => supervise::run(),
        _ => refuse("usage: ready | deadline [--supervise]"),
    }
}

/// Ends the program before it began. The reason names variables and places, never values.
fn refuse(reason: impl Display) -> ExitCode {
    // Where stderr is closed there is still the exit code.
    let _ = writeln!(std::io::stderr(), "modbox-sidecar: {reason}");
    ExitCode::from(USAGE_EXIT_CODE)
}
