//! The whole product on one machine: an AWS-compatible cloud in one process, and the functions on it.

pub mod aws_json;
pub mod bus;
pub mod cloud;
pub mod connector;
pub mod container;
pub mod dynamo;
pub mod ecs;
pub mod event;
pub mod logs;
pub mod plumbing;
pub mod port;
pub mod process;
pub mod queue;

mod cli;
mod data;
mod engine;
mod functions_env;
mod kept_logs;
mod log;
mod sandbox_task;
mod secrets;
mod serve;
pub mod stack;

use std::process::ExitCode;

/// The program `modbox-local`: starts the cloud, or is one of the programs of a task.
///
/// Tasks are started by executing this program again with a hidden first argument, so that one binary is all there is
/// to install. Those are told first, before anything is set up that they do not need.
pub fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    match args.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("sidecar") => modbox_sidecar::run(args),
        Some("runtime") => modbox_runtime::run(),
        _ => cli::main(),
    }
}
