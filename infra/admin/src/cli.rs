//! The command line.

use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use modbox_aws::Place;

/// Creates, lists and revokes users and their API tokens.
///
/// AWS is reached as the AWS CLI reaches it: environment, profiles, SSO and roles are read alike.
#[derive(Debug, Parser)]
#[command(name = "modbox-admin", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Options {
    /// The table of the deployment.
    #[arg(long, global = true, env = "MODBOX_TABLE", default_value = "modbox", value_name = "NAME")]
    pub(crate) table: String,

    #[command(flatten)]
    aws: Aws,

    /// Answers in JSON, for programs.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  modbox-admin user create ann
  modbox-admin token create ann --description laptop --expires-in 30d
  modbox-admin --endpoint-url http://127.0.0.1:4000 user list     the table of a modbox-local";

#[derive(Args, Debug)]
struct Aws {
    /// Where AWS answers, if not where it does by itself; also AWS_ENDPOINT_URL and the profile's endpoint_url.
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,

    /// The profile of the AWS configuration; also AWS_PROFILE.
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,

    /// The region; also AWS_REGION and the profile's.
    #[arg(long, global = true, value_name = "NAME")]
    region: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who may have tokens.
    #[command(subcommand)]
    User(UserCommand),
    /// The API tokens of a user.
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Adds a user, with a workspace of their own.
    Create { name: String },
    /// Shows all users.
    List,
    /// Revokes a user and all their tokens, for good. Their sandboxes live on.
    Revoke { name: String },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Makes a token and shows it, this once.
    Create {
        user: String,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// How long it is valid: 12h, 30d, 1year. Until it is revoked, if not said.
        #[arg(long, value_name = "TIME", value_parser = lifetime)]
        expires_in: Option<Duration>,
    },
    /// Shows the tokens of a user, never their text.
    List { user: String },
    /// Revokes the token of that id, for good and at once.
    Revoke { id: String },
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

fn lifetime(text: &str) -> Result<Duration, String> {
    let lifetime = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (SHORTEST..=LONGEST).contains(&lifetime) {
        return Ok(lifetime);
    }
    Err("must be from a second to a hundred years".to_owned())
}

impl Options {
    /// Where AWS is, as far as it was said.
    pub(crate) fn place(&self) -> Place {
        let Aws { endpoint_url, profile, region } = &self.aws;
        Place { profile: profile.clone(), region: region.clone(), endpoint_url: endpoint_url.clone() }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_lifetime_is_from_a_second_to_a_hundred_years() {
        assert_eq!(lifetime("30d"), Ok(Duration::from_secs(30 * 24 * 60 * 60)));
        assert!(lifetime("1s").is_ok() && lifetime("100years").is_ok());
        for wrong in ["", "0s", "10ms", "30", "-1d", "101years", "soon"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
