//! Finding an engine that answers.

use std::{env, path::Path, time::Duration};

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::time::timeout;

use super::failure::OpenError;

/// How long one answer may take; that of an engine which has to pull an image begins at once.
const ANSWER_SECS: u64 = 120;
/// How long the first answer may take, of an engine on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Connects to the engine that is named, or to the first that has a socket and answers.
pub(super) async fn connect() -> Result<Docker, OpenError> {
    let mut failed = None;
    for socket in sockets()? {
        if !Path::new(&socket).exists() {
            continue;
        }
        match connect_to(&socket).await {
            Ok(docker) => return Ok(docker),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or(OpenError::NoSocket))
}

/// The paths of sockets to try: the one that is named, or those where Docker and Podman have theirs.
fn sockets() -> Result<Vec<String>, OpenError> {
    let named = ["DOCKER_HOST", "CONTAINER_HOST"].into_iter().find_map(|name| env::var(name).ok());
    if let Some(named) = named.filter(|named| !named.is_empty()) {
        let path = named.strip_prefix("unix://").map(ToOwned::to_owned);
        return path.map(|path| vec![path]).ok_or(OpenError::NoUnixSocket(named));
    }
    let usual = ["/var/run/docker.sock", "/run/podman/podman.sock"];
    Ok(usual.map(ToOwned::to_owned).to_vec())
}

async fn connect_to(socket: &str) -> Result<Docker, OpenError> {
    let silent = |source| OpenError::Silent { socket: socket.to_owned(), source };
    let docker = Docker::connect_with_unix(socket, ANSWER_SECS, API_DEFAULT_VERSION).map_err(silent)?;
    let answer = timeout(PATIENCE, docker.negotiate_version()).await;
    answer.map_err(|_| OpenError::Slow(socket.to_owned()))?.map_err(silent)
}

/// Refuses an engine whose networks are not those of this machine; gives its name and version.
pub(super) async fn check(docker: &Docker) -> Result<String, OpenError> {
    let info = docker.info().await.map_err(OpenError::Answer)?;
    let options = info.security_options.unwrap_or_default();
    if options.iter().any(|option| option.contains("rootless")) {
        return Err(OpenError::Rootless);
    }
    let version = docker.version().await.map_err(OpenError::Answer)?;
    let first = version.components.unwrap_or_default().into_iter().next();
    // Podman says `Podman Engine`, Docker no more than `Engine`.
    let name = first.map(|component| component.name).filter(|name| name != "Engine");
    let name = name.unwrap_or_else(|| "Docker Engine".to_owned());
    Ok(format!("{name} {}", version.version.unwrap_or_default()))
}
