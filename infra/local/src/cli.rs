//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use clap::{CommandFactory as _, Parser, ValueEnum, error::ErrorKind};

use crate::{log, serve};

/// Runs all of Modbox on this machine: the API, an AWS-compatible cloud behind it, and sandboxes as containers or processes.
#[derive(Clone, Debug, Parser)]
#[command(name = "modbox-local", version, max_term_width = 100, after_help = EXAMPLES)]
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
    #[arg(long, env = "MODBOX_ENGINE", default_value = "auto")]
    pub(crate) engine: Engine,

    /// How long an ended sandbox is kept as history, at least a minute: `90m`, `12h`, `30d`.
    #[arg(long, env = "MODBOX_RETENTION", default_value = "30d", value_name = "TIME", value_parser = retention)]
    pub(crate) retention: Duration,
}

const EXAMPLES: &str = "\
Examples:
  modbox-local                                      everything at its default, data in ./.modbox
  modbox-local --data ~/.modbox --retention 7d      data elsewhere, ended sandboxes kept for a week
  modbox-local --listen 0.0.0.0:3000                reachable from other machines: sandboxes then run what THEY send
  modbox-local --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0    free ports, which it prints

RUST_LOG=debug logs more, RUST_LOG=warn only what is wrong. NO_COLOR=1 leaves colours out.";

/// What runs the containers of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    /// Containers where an engine answers that has the images, otherwise processes.
    Auto,
    /// Containers of Docker or Podman.
    Container,
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

/// A minute at least: retries and late events must find what they speak of.
fn retention(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if time < Duration::from_secs(60) { Err("at least a minute".to_owned()) } else { Ok(time) }
}

pub(crate) fn main() -> ExitCode {
    let options = Options::of_process();
    log::start();
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
    fn ended_sandboxes_are_kept_for_a_minute_at_least() {
        assert_eq!(retention("30d"), Ok(Duration::from_secs(30 * 24 * 60 * 60)));
        assert_eq!(retention("1m"), Ok(Duration::from_secs(60)));
        for bad in ["", "30", "59s", "-1h", "soon", "99999999999999999999d"] {
            assert!(retention(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_api_token_begins_with_mbx() {
        assert!(check_token("mbx_0123456789").is_ok());
        for bad in ["", "mbx_", "mbx_short", "sbx_0123456789", "mbx_01234567 89"] {
            assert!(check_token(bad).is_err(), "{bad}");
        }
    }
}
