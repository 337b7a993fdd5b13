//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};
use tracing_subscriber::EnvFilter;

use crate::serve;

/// Runs all of Modbox on this machine: the API, an AWS-compatible cloud behind it, and sandboxes as processes.
#[derive(Clone, Debug, Parser)]
#[command(name = "modbox-local", version, max_term_width = 100)]
pub(crate) struct Options {
    /// Where the API listens.
    #[arg(long, env = "MODBOX_LISTEN", default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,

    /// Where the cloud listens for separately started functions and the AWS CLI.
    #[arg(long, env = "MODBOX_AWS_LISTEN", default_value = "127.0.0.1:4000", value_name = "ADDRESS")]
    pub(crate) aws_listen: SocketAddr,

    /// The folder that holds everything: table, keys, token, and the tasks' own folders.
    #[arg(long, env = "MODBOX_DATA", default_value = ".modbox", value_name = "FOLDER")]
    pub(crate) data: PathBuf,

    /// The API token to accept (`mbx_…`); otherwise one is generated once and kept in the data folder.
    // Not checked by a value parser, whose errors repeat the value: even one of the wrong form may be somebody's secret.
    #[arg(long, env = "MODBOX_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,

    /// What runs the containers of a task.
    #[arg(long, env = "MODBOX_ENGINE", default_value = "process")]
    pub(crate) engine: Engine,
}

/// What runs the containers of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Local processes: quick, and no isolation.
    Process,
}

impl Options {
    /// The options of this process; ends it when they are wrong.
    fn of_process() -> Self {
        let options = Self::parse();
        if let Some(Err(fault)) = options.token.as_deref().map(check_token) {
            let message = format!("invalid value for '--token <TOKEN>': {fault}");
            Self::command().error(ErrorKind::ValueValidation, message).exit();
        }
        options
    }
}

fn check_token(text: &str) -> Result<(), &'static str> {
    let body = text.strip_prefix("mbx_").ok_or("an API token begins with mbx_")?;
    if body.len() >= 8 && body.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Ok(());
    }
    Err("after mbx_ an API token has at least 8 letters, digits, _ or -")
}

pub(crate) fn main() -> ExitCode {
    let options = Options::of_process();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match serve::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn an_api_token_begins_with_mbx() {
        assert!(check_token("mbx_0123456789").is_ok());
        for bad in ["", "mbx_", "mbx_short", "sbx_0123456789", "mbx_01234567 89"] {
            assert!(check_token(bad).is_err(), "{bad}");
        }
    }
}
