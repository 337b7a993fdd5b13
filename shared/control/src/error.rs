use modbox_sandbox::{Name, Refusal};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such sandbox, or none of the caller's.
    #[error("no such sandbox")]
    NotFound,
    #[error("a live sandbox is already named {name}")]
    NameTaken { name: Name },
    /// The Idempotency-Key came before, with another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    #[error("the environment makes overrides of {chars} characters")]
    EnvironmentTooLarge { chars: usize },
    /// The sandbox is over, or not yet far enough.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The deadline would be later than any may be.
    #[error("the deadline would be more than a day away")]
    TooLong,
    /// The deadline came so near while it was to be moved that it was left.
    #[error("the deadline could not be moved in time")]
    TooLate,
    /// The token is not one of this sandbox's task.
    #[error("the task token is not valid")]
    ForeignTask,
    /// Others kept writing the same row.
    #[error("the sandbox kept changing")]
    Contended,
    #[error("key {0} is not among this deployment's keys")]
    UnknownKey(String),
    #[error("the environment cannot be unsealed")]
    Unsealable,
    #[error(transparent)]
    Aws(#[from] modbox_aws::Error),
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Aws(error) => error.retryable(),
            Self::Contended | Self::TooLate => true,
            Self::NotFound
            | Self::NameTaken { .. }
            | Self::KeyReused
            | Self::EnvironmentTooLarge { .. }
            | Self::Refused(_)
            | Self::TooLong
            | Self::ForeignTask
            | Self::UnknownKey(_)
            | Self::Unsealable => false,
        }
    }
}
