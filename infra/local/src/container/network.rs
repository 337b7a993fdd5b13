//! The network that tasks are on.

use std::{collections::HashMap, net::Ipv4Addr};

use bollard::{
    Docker,
    errors::Error,
    models::{NetworkCreateRequest, NetworkInspect},
};

use super::failure::is_not_found;

/// One for all tasks of the machine, whichever program starts them.
const NAME: &str = "modbox";

#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) name: &'static str,
    /// The address that this machine has on it.
    pub(super) gateway: Ipv4Addr,
}

impl Network {
    /// Makes the network if it is not there. Making it twice at once is no failure.
    pub(super) async fn ensure(docker: &Docker, engine: &str) -> Result<Self, Error> {
        let found = match docker.inspect_network(NAME, None).await {
            Err(error) if is_not_found(&error) => {
                let made = docker.create_network(request(engine)).await;
                // Another program may have made it meanwhile: whether it is there says more than whether this made it.
                let found = docker.inspect_network(NAME, None).await;
                found.or_else(|missing| made.and(Err(missing)))?
            }
            found => found?,
        };
        let gateway = gateway(&found).ok_or_else(|| Error::DockerStreamError {
            error: format!("the network {NAME} has no gateway; remove it, so that it is made anew"),
        })?;
        Ok(Self { name: NAME, gateway })
    }
}

fn request(engine: &str) -> NetworkCreateRequest {
    // Keeps tasks from each other. Podman has no such option, and refuses it.
    let apart = ("com.docker.network.bridge.enable_icc".to_owned(), "false".to_owned());
    let options = (!engine.contains("Podman")).then(|| HashMap::from([apart]));
    NetworkCreateRequest {
        name: NAME.to_owned(),
        driver: Some("bridge".to_owned()),
        options,
        ..NetworkCreateRequest::default()
    }
}

fn gateway(network: &NetworkInspect) -> Option<Ipv4Addr> {
    let configured = network.ipam.as_ref()?.config.as_ref()?;
    configured.iter().find_map(|each| each.gateway.as_ref()?.split('/').next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_gateway_is_the_first_address_of_version_four() {
        let network = |config| serde_json::from_value(json!({"IPAM": {"Config": config}})).unwrap();
        let found = gateway(&network(json!([{"Gateway": "fd00::1"}, {"Gateway": "10.89.0.1"}])));
        assert_eq!(found, Some(Ipv4Addr::new(10, 89, 0, 1)));
        assert_eq!(gateway(&network(json!([{"Gateway": "10.89.0.1/24"}]))), found);
        assert_eq!(gateway(&network(json!([]))), None);
    }
}
