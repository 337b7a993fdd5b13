use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use modbox_sandbox::contract;

use crate::auth::Tokens;

/// What the environment says, read once.
pub(crate) struct Settings {
    pub(crate) address: io::Result<SocketAddr>,
    pub(crate) tokens: Tokens,
    pub(crate) sandbox_id: String,
    /// What commands inherit: everything but the names reserved for ours, the access token among them.
    pub(crate) environment: Vec<(OsString, OsString)>,
}

impl Settings {
    pub(crate) fn from_environment() -> Self {
        let text = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let tokens = [contract::ACCESS_TOKEN, contract::SANDBOX_API_KEY];
        Self {
            address: address(text(contract::TASK_ADDRESS).as_deref()),
            tokens: Tokens::new(tokens.into_iter().filter_map(text)),
            sandbox_id: text(contract::SANDBOX_ID).unwrap_or_default(),
            environment: std::env::vars_os().filter(|(name, _)| !is_ours(name)).collect(),
        }
    }
}

fn is_ours(name: &OsString) -> bool {
    name.as_bytes().starts_with(contract::RESERVED_PREFIX.as_bytes())
}

fn address(task: Option<&str>) -> io::Result<SocketAddr> {
    let invalid = |_| io::Error::other(format!("{} is not an address", contract::TASK_ADDRESS));
    let host = task.map_or(Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), |task| task.parse().map_err(invalid))?;
    Ok(SocketAddr::new(host, contract::RUNTIME_PORT))
}
