//! The sidecar as a program of its own, for the sidecars' image.

use std::process::ExitCode;

fn main() -> ExitCode {
    modbox_sidecar::run(std::env::args_os().skip(1))
}
