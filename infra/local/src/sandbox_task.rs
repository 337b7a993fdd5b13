//! What the launch of a sandbox's task says of the sandbox, to whichever engine starts it.

use std::net::SocketAddrV4;

use modbox_sandbox::contract;

use crate::ecs::Launch;

/// The address in the sandbox's URL, when that is one of the loopback network; a URL without a port has the runtime's.
pub(crate) fn loopback_address(launch: &Launch) -> Option<SocketAddrV4> {
    let url = launch.container(contract::MAIN)?.environment.get(contract::SANDBOX_URL)?;
    let authority = url.split_once("://")?.1.split('/').next()?;
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, contract::RUNTIME_PORT),
    };
    let address = SocketAddrV4::new(host.parse().ok()?, port);
    address.ip().is_loopback().then_some(address)
}

/// The id of the sandbox, which its main container is told.
pub(crate) fn sandbox_id(launch: &Launch) -> Option<&str> {
    launch.container(contract::MAIN)?.environment.get(contract::SANDBOX_ID).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn launch(url: &str) -> Launch {
        let environment = BTreeMap::from([(contract::SANDBOX_URL.to_owned(), url.to_owned())]);
        Launch::of_main("modbox/sandbox", environment)
    }

    #[test]
    fn the_address_is_that_of_the_url_when_it_is_of_the_loopback_network() {
        let address = |url| loopback_address(&launch(url)).map(|address| address.to_string());
        assert_eq!(address("http://127.3.4.5:8090").as_deref(), Some("127.3.4.5:8090"));
        assert_eq!(address("http://127.3.4.5/").as_deref(), Some("127.3.4.5:8080"));
        for url in ["http://10.0.0.1:8080", "http://localhost:8080", "127.3.4.5", "http://127.0.0.1:x", ""] {
            assert_eq!(address(url), None, "{url}");
        }
    }
}
