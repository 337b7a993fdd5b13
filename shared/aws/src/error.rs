use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// Why AWS did not do what was asked, or why what it stored cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A throttle, an outage, or an answer that was lost: the call may or may not have had its effect.
    #[error("{operation} got no answer to rely on: {message}")]
    Unavailable { operation: &'static str, message: String },
    /// Another write of the same item was under way; nothing was written.
    #[error("{operation} met another write")]
    Conflict { operation: &'static str },
    /// A definite no: nothing was done, and the same call will be refused again.
    #[error("{operation} was refused: {code}: {message}")]
    Refused { operation: &'static str, code: String, message: String },
    /// A stored item of a format that this version does not know; a newer one wrote it.
    #[error("item {key} of table {table} has format {format}, which this version does not know")]
    UnknownFormat { table: String, key: String, format: u32 },
    /// A stored item that no version of Modbox writes.
    #[error("item {key} of table {table} cannot be read: {reason}")]
    Corrupt { table: String, key: String, reason: String },
}

impl Error {
    /// Whether the same call may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Conflict { .. } => true,
            Self::Refused { .. } | Self::UnknownFormat { .. } | Self::Corrupt { .. } => false,
        }
    }
}

/// Codes by which AWS says "later" with a 4xx.
const THROTTLES: [&str; 9] = [
    "ThrottlingException",
    "Throttling",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ProvisionedThroughputExceededException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Sorts a failed call: only a 4xx that is no throttle is a definite no.
pub(crate) fn classify<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(refusal) = &error else {
        let message = aws_smithy_types::error::display::DisplayErrorContext(&error).to_string();
        return Error::Unavailable { operation, message };
    };
    let code = refusal.err().code().unwrap_or("unknown").to_owned();
    let message = refusal.err().message().unwrap_or("no message").to_owned();
    let status = refusal.raw().status();
    if code == "TransactionConflictException" {
        return Error::Conflict { operation };
    }
    if status.is_server_error() || status.as_u16() == 429 || THROTTLES.contains(&code.as_str()) {
        return Error::Unavailable { operation, message: format!("{code}: {message}") };
    }
    Error::Refused { operation, code, message }
}
