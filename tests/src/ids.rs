use std::sync::{Mutex, PoisonError};

use fastrand::Rng;
use modbox_sandbox::Ids;

/// Chance that is the same in every run of one seed.
#[derive(Debug)]
pub struct SeededIds(Mutex<Rng>);

impl SeededIds {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(Rng::with_seed(seed)))
    }
}

impl Ids for SeededIds {
    fn random(&self) -> u128 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u128(..)
    }
}
