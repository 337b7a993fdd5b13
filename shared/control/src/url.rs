use std::fmt;

use modbox_sandbox::{SandboxId, contract};

/// Where sandboxes are reached, with a place for what tells them apart.
///
/// `{id}` stands for the sandbox's id, `{loopback}` for an address of 127.0.0.0/8 that is the sandbox's own, for a
/// deployment whose tasks share the machine of their callers.
#[derive(Clone, Debug)]
pub struct UrlTemplate(String);

impl UrlTemplate {
    pub fn new(template: impl Into<String>) -> Self {
        Self(template.into())
    }

    /// Loopback addresses on one machine, on the port of the built-in images.
    pub fn loopback() -> Self {
        Self(format!("http://{{loopback}}:{}", contract::RUNTIME_PORT))
    }

    pub(crate) fn render(&self, id: SandboxId) -> String {
        self.0.replace("{id}", &id.to_string()).replace("{loopback}", &loopback(id))
    }
}

impl fmt::Display for UrlTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of some sixteen million addresses, away from 127.0.x.y, where the machine's own servers listen.
fn loopback(id: SandboxId) -> String {
    let [.., a, b, c] = id.as_u128().to_be_bytes();
    let (second, last) = (u16::from(a) % 254 + 1, u16::from(c) % 254 + 1);
    format!("127.{second}.{b}.{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_made_of_the_id() {
        let id = SandboxId::from_random(0x0a0b_0c0d_0e0f);
        assert_eq!(
            UrlTemplate::new("https://{id}.sbx.example.com").render(id),
            format!("https://{id}.sbx.example.com")
        );
        assert_eq!(UrlTemplate::loopback().render(id), "http://127.14.14.16:8080");
    }

    #[test]
    fn a_loopback_address_is_never_the_machines_own_nor_a_broadcast() {
        for bits in [0, u128::MAX, 0xff, 0xfe, 0xfd00fe] {
            let address: std::net::Ipv4Addr = loopback(SandboxId::from_random(bits)).parse().unwrap();
            let [first, second, _, last] = address.octets();
            assert_eq!(first, 127);
            assert!(second != 0 && last != 0 && last != 255);
        }
    }
}
