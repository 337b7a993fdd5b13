//! The runtime as a program of its own, for the built-in images.

use std::process::ExitCode;

fn main() -> ExitCode {
    modbox_runtime::run()
}
