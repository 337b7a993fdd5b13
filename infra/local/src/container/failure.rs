//! What goes wrong with an engine, in ECS's words where a sandbox's user reads them.

use std::{error::Error as _, time::Duration};

use bollard::errors::Error;
use tokio::time::sleep;

use crate::ecs::{Container, StartError};

/// Why there is no engine to be used; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("no socket of Docker or Podman is there; start one, or name its socket in DOCKER_HOST")]
    NoSocket,
    #[error("{0} is no unix:// address of a socket, and no other is spoken to; change DOCKER_HOST")]
    NoUnixSocket(String),
    #[error("the container engine at {socket} does not answer: {}", said(source))]
    Silent { socket: String, source: Error },
    #[error("the container engine at {0} does not answer")]
    Slow(String),
    #[error(
        "the container engine runs without root, so that its networks are not this machine's; use one that runs as root"
    )]
    Rootless,
    #[error("the container engine does not answer as it should: {}", said(.0))]
    Answer(Error),
}

/// How often a call is repeated that must come through.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Calls until it comes through; gives up after ten seconds.
pub(super) async fn insist<T, F: Future<Output = Result<T, Error>>>(
    call: impl Fn() -> F,
) -> Result<T, Error> {
    for _ in 1..TRIES {
        if let Ok(done) = call().await {
            return Ok(done);
        }
        sleep(BETWEEN_TRIES).await;
    }
    call().await
}

/// Success also for what is not there any more.
pub(super) trait Insisting {
    fn unless_gone(self) -> Result<(), Error>;
}

impl Insisting for Result<(), Error> {
    fn unless_gone(self) -> Self {
        match self {
            Err(error) if is_not_found(&error) => Ok(()),
            done => done,
        }
    }
}

pub(super) fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

pub(super) fn cannot_pull(container: &Container, error: &Error) -> StartError {
    let reason = format!("CannotPullContainerError: failed to pull {}: {}", container.image, said(error));
    StartError::of(container, reason)
}

pub(super) fn cannot_create(container: &Container, error: &Error) -> StartError {
    StartError::of(container, format!("CannotCreateContainerError: {}", said(error)))
}

pub(super) fn cannot_start(container: &Container, error: &Error) -> StartError {
    StartError::of(container, format!("CannotStartContainerError: {}", said(error)))
}

pub(super) fn no_answer(error: &Error) -> StartError {
    StartError::new(format!("ResourceInitializationError: {}", said(error)))
}

/// Of a task that was never started, or of which not every container was found.
pub(super) fn nothing_left() -> StartError {
    StartError::new(
        "ResourceInitializationError: modbox-local was restarted, and nothing of the task was left to adopt",
    )
}

/// The engine's own words as ECS repeats them, or why there are none.
pub(super) fn said(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => {
            format!("Error response from daemon: {}", message.trim())
        }
        Error::DockerStreamError { error } => format!("Error response from daemon: {}", error.trim()),
        other => {
            let mut text = format!("the container engine does not answer: {other}");
            let mut source = other.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_words_are_repeated() {
        let message = "pull access denied for nothing\n".to_owned();
        let error = Error::DockerResponseServerError { status_code: 404, message };
        assert_eq!(said(&error), "Error response from daemon: pull access denied for nothing");
        assert!(Err(error).unless_gone().is_ok());
    }

    #[test]
    fn an_engine_that_is_gone_is_said_to_be() {
        let error = Error::from(std::io::Error::other("connection refused"));
        assert_eq!(said(&error), "the container engine does not answer: connection refused");
        assert!(Err(error).unless_gone().is_err());
    }
}
