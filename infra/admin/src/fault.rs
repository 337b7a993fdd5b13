//! What went wrong, and what to do about it.

use modbox_aws::{Error as Aws, NotConfigured};
use modbox_control::{AdminError, Error};

use crate::cli::Options;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("{what}; {advice}")]
    Known { what: String, advice: String },
    #[error("{0}")]
    Other(String),
    #[error("failed to write the answer: {0}")]
    Output(#[from] std::io::Error),
}

impl From<NotConfigured> for Fault {
    fn from(error: NotConfigured) -> Self {
        let advice = match &error {
            NotConfigured::Region => "give one with --region, AWS_REGION or the profile",
            NotConfigured::Credentials(_) => {
                "set AWS_PROFILE or --profile, log in (`aws sso login`), or set AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY (for modbox-local any do)"
            }
        };
        Self::known(error, advice)
    }
}

impl Fault {
    fn known(what: impl ToString, advice: impl Into<String>) -> Self {
        Self::Known { what: what.to_string(), advice: advice.into() }
    }

    pub(crate) fn of(error: AdminError, options: &Options) -> Self {
        match error {
            AdminError::NoSuchUser(ref user) => {
                let advice = format!("`modbox-admin user list` shows all, `user create {user}` adds one");
                Self::known(error, advice)
            }
            AdminError::UserExists(ref user) => {
                Self::known(&error, format!("`modbox-admin token create {user}` makes a token for it"))
            }
            AdminError::UserRevoked(_) => {
                Self::known(error, "a revoked user stays so: add one of another name")
            }
            AdminError::NoSuchToken(_) => {
                Self::known(error, "`modbox-admin token list <user>` shows the ids; a new one takes a moment")
            }
            AdminError::IndexLags(_) => Self::known(error, "do it again"),
            AdminError::Control(Error::Aws(error)) => Self::of_aws(&error, &options.table),
            AdminError::Control(Error::Contended) => {
                Self::known("somebody else writes the same", "do it again")
            }
            AdminError::InvalidName(_)
            | AdminError::InvalidDescription
            | AdminError::TokenTaken
            | AdminError::Control(_) => Self::Other(error.to_string()),
        }
    }

    fn of_aws(error: &Aws, table: &str) -> Self {
        match error {
            Aws::Refused { code, .. } if code == "ResourceNotFoundException" => Self::known(
                format_args!("there is no table {table} there"),
                "name it with --table or MODBOX_TABLE, and its place with --profile, --region or --endpoint-url",
            ),
            Aws::Refused { operation, code, message } => Self::known(
                format_args!("AWS refused {operation}: {code}: {message}"),
                "look at the credentials and what they allow",
            ),
            Aws::Unavailable { operation, message } => Self::known(
                format_args!("AWS did not answer {operation}: {message}"),
                "look at --endpoint-url and the network, and do it again",
            ),
            error => Self::Other(error.to_string()),
        }
    }
}
