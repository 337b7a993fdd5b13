//! How what runs in a container reaches the API, when that listens on this machine's loopback network, which is not
//! that of a container.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, PoisonError},
};

use http::{Uri, uri::Authority};
use rustix::net::sockopt::{set_ip_freebind, set_socket_reuseaddr};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpSocket, TcpStream, lookup_host},
    sync::Semaphore,
    task::AbortHandle,
};

/// So many connections pass one door at a time; more wait.
const CONNECTIONS: usize = 256;
const BACKLOG: u32 = 1024;

/// Where a container finds the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) url: String,
    /// A name that containers are to know, and its address.
    pub(super) host: Option<String>,
    /// What a door has to lead to.
    pub(super) door: Option<SocketAddr>,
}

/// The way to a URL from containers whose network has that gateway. One that leads elsewhere than to this machine's
/// loopback network is taken as it is.
pub(super) async fn way(url: &str, gateway: Ipv4Addr) -> Way {
    let as_it_is = || Way { url: url.to_owned(), host: None, door: None };
    let Some((uri, host, port)) = parts(url) else { return as_it_is() };
    let literal: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
    let address = match literal {
        Some(address) => Some(SocketAddr::new(address, port)),
        None => lookup_host((host.as_str(), port)).await.ok().and_then(|mut found| found.next()),
    };
    let Some(door) = address.filter(|address| address.ip().is_loopback()) else { return as_it_is() };
    if literal.is_none() && host != "localhost" {
        return Way { url: url.to_owned(), host: Some(format!("{host}:{gateway}")), door: Some(door) };
    }
    let url = through(uri, SocketAddrV4::new(gateway, port)).unwrap_or_else(|| url.to_owned());
    Way { url, host: None, door: Some(door) }
}

fn parts(url: &str) -> Option<(Uri, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.to_owned();
    let usual = match uri.scheme_str()? {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let port = uri.port_u16().or(usual)?;
    Some((uri, host, port))
}

fn through(uri: Uri, gateway: SocketAddrV4) -> Option<String> {
    let mut parts = uri.into_parts();
    parts.authority = Some(gateway.to_string().parse::<Authority>().ok()?);
    Uri::from_parts(parts).ok().map(|uri| uri.to_string())
}

/// Listens on the gateway for what containers send to the API, and passes it on.
#[derive(Debug, Default)]
pub(super) struct Doors(Mutex<BTreeMap<SocketAddrV4, AbortHandle>>);

impl Doors {
    /// Sees to it that the gateway's port of that number leads there. One that is open already stays as it is. Where it
    /// cannot be opened somebody listens there already, most likely the API itself, on every address.
    pub(super) fn open(&self, gateway: Ipv4Addr, to: SocketAddr) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let address = SocketAddrV4::new(gateway, to.port());
        if open.contains_key(&address) {
            return;
        }
        match listen(address) {
            Ok(listener) => {
                let passing = tokio::spawn(pass(listener, to));
                open.insert(address, passing.abort_handle());
            }
            Err(error) => {
                tracing::warn!(%address, %error, "failed to listen for what containers tell the API");
            }
        }
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        let open = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        open.values().for_each(AbortHandle::abort);
    }
}

/// The address need not be there yet: engines make it with the first container.
fn listen(address: SocketAddrV4) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    set_ip_freebind(&socket, true)?;
    set_socket_reuseaddr(&socket, true)?;
    socket.bind(address.into())?;
    socket.listen(BACKLOG)
}

async fn pass(listener: TcpListener, to: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(held) = Arc::clone(&room).acquire_owned().await {
        let Ok((mut inside, _)) = listener.accept().await else { continue };
        tokio::spawn(async move {
            // One that breaks is noticed, and made again, by whoever made it.
            if let Ok(mut api) = TcpStream::connect(to).await {
                let _ = copy_bidirectional(&mut inside, &mut api).await;
            }
            drop(held);
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);

    #[tokio::test]
    async fn only_what_is_on_the_loopback_network_is_led_through_a_door() {
        let through = |url: &str, door: &str| Way {
            url: url.to_owned(),
            host: None,
            door: Some(door.parse().unwrap()),
        };
        assert_eq!(
            way("http://127.1.2.3:3000", GATEWAY).await,
            through("http://10.89.0.1:3000/", "127.1.2.3:3000")
        );
        assert_eq!(
            way("http://[::1]:3000/api", GATEWAY).await,
            through("http://10.89.0.1:3000/api", "[::1]:3000")
        );
        assert_eq!(
            way("https://127.0.0.1", GATEWAY).await,
            through("https://10.89.0.1:443/", "127.0.0.1:443")
        );
        for url in ["http://10.1.2.3:3000", "https://api.invalid/x", "127.0.0.1:3000", ""] {
            let as_it_is = Way { url: url.to_owned(), host: None, door: None };
            assert_eq!(way(url, GATEWAY).await, as_it_is, "{url}");
        }
    }

    #[tokio::test]
    async fn what_comes_in_by_a_door_is_answered_by_what_it_leads_to() {
        let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = api.local_addr().unwrap();
        let (gateway, doors) = (Ipv4Addr::new(127, 77, 1, 1), Doors::default());
        doors.open(gateway, to);
        doors.open(gateway, to);
        let mut inside = TcpStream::connect((gateway, to.port())).await.unwrap();
        inside.write_all(b"ask").await.unwrap();
        let (mut asked, _) = api.accept().await.unwrap();
        let mut heard = [0; 3];
        asked.read_exact(&mut heard).await.unwrap();
        asked.write_all(b"say").await.unwrap();
        drop(asked);
        let mut said = String::new();
        inside.read_to_string(&mut said).await.unwrap();
        assert_eq!((&heard, said.as_str()), (b"ask", "say"));
    }
}
