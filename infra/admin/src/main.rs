//! Users and their API tokens, in the table of whatever AWS it is pointed at.

mod cli;
mod fault;
mod said;
mod work;

use std::{io::Write as _, process::ExitCode};

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = cli::Options::parse();
    match work::perform(&options).await.and_then(|said| said.write(options.json)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            // There is nobody left to tell when this fails.
            let _ = writeln!(std::io::stderr(), "modbox-admin: {fault}");
            ExitCode::FAILURE
        }
    }
}
