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

/// Words by which it does so without a code: ECS, while somebody else registers a task definition of the same family.
const LATER: [&str; 1] = ["Too many concurrent attempts to create a new revision"];

/// What an error says and what its causes say, on one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let said: Vec<String> = causes.map(ToString::to_string).collect();
    let mut lines: Vec<&str> = said.iter().flat_map(|text| text.lines()).map(str::trim).collect();
    // Layers of the SDK repeat each other.
    lines.dedup();
    lines.join(": ")
}

/// Sorts a failed call: only a 4xx that is no throttle is a definite no.
pub(crate) fn classify<E>(operation: &'static str, error: SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let SdkError::ServiceError(refusal) = &error else {
        return Error::Unavailable { operation, message: with_causes(&error) };
    };
    let code = refusal.err().code().unwrap_or("unknown").to_owned();
    let message = refusal.err().message().unwrap_or("no message").to_owned();
    let status = refusal.raw().status();
    if code == "TransactionConflictException" {
        return Error::Conflict { operation };
    }
    let later = THROTTLES.contains(&code.as_str()) || LATER.iter().any(|words| message.contains(words));
    if later || status.is_server_error() || status.as_u16() == 429 {
        return Error::Unavailable { operation, message: format!("{code}: {message}") };
    }
    Error::Refused { operation, code, message }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    use super::*;

    #[test]
    fn what_got_no_answer_tells_its_causes_and_no_type_of_the_sdk() {
        let io = std::io::Error::other("connection refused\nby peer");
        let failure = SdkError::<GetItemError, _>::dispatch_failure(ConnectorError::io(io.into()));
        assert_eq!(
            classify("GetItem", failure).to_string(),
            "GetItem got no answer to rely on: dispatch failure: io error: connection refused: by peer"
        );
    }
}
