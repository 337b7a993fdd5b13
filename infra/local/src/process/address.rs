use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
};

use modbox_sandbox::Ids;

use crate::ecs::StartError;

/// How often a drawn address may be taken already before that is called a failure.
const DRAWS: u32 = 64;

/// The loopback addresses that tasks have at the moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Addresses(Arc<Mutex<BTreeSet<Ipv4Addr>>>);

/// An address that no other task gets until this is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    address: Ipv4Addr,
    taken: Addresses,
}

impl Addresses {
    /// Claims the address wanted, or a fresh one of 127.0.0.0/8.
    pub(super) fn claim(&self, wanted: Option<Ipv4Addr>, ids: &dyn Ids) -> Result<Claim, StartError> {
        let claimed = match wanted {
            Some(address) => self.take(address),
            None => (0..DRAWS).find_map(|_| self.take(draw(ids))),
        };
        claimed.ok_or_else(|| {
            let which =
                wanted.map_or_else(|| "every address drawn".to_owned(), |address| address.to_string());
            StartError::new(format!("ResourceInitializationError: {which} is another task's"))
        })
    }

    fn take(&self, address: Ipv4Addr) -> Option<Claim> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(address).then(|| Claim { address, taken: self.clone() })
    }
}

impl Claim {
    pub(super) fn ip(&self) -> Ipv4Addr {
        self.address
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.address);
    }
}

/// An address of 127.0.0.0/8 outside of 127.0.0.0/16, where other programs of a machine have theirs.
fn draw(ids: &dyn Ids) -> Ipv4Addr {
    let [b, c, d, ..] = ids.random().to_le_bytes();
    Ipv4Addr::new(127, b.clamp(1, 254), c, d.clamp(1, 254))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU8, Ordering};

    use super::*;

    /// Draws each number twice.
    #[derive(Debug, Default)]
    struct Twice(AtomicU8);

    impl Ids for Twice {
        fn random(&self) -> u128 {
            u128::from(self.0.fetch_add(1, Ordering::Relaxed) / 2 + 1)
        }
    }

    #[test]
    fn no_two_tasks_have_one_address_at_a_time() {
        let (addresses, ids) = (Addresses::default(), Twice::default());
        let first = addresses.claim(None, &ids).unwrap();
        let second = addresses.claim(None, &ids).unwrap();
        assert_ne!(first.ip(), second.ip());
        assert!(first.ip().is_loopback() && second.ip().is_loopback());
        let wanted = first.ip();
        assert!(addresses.claim(Some(wanted), &ids).is_err());
        drop(first);
        assert_eq!(addresses.claim(Some(wanted), &ids).unwrap().ip(), wanted);
    }
}
