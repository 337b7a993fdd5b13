use std::fmt::Debug;

use crate::Timestamp;

/// Where the shell takes the time from. The domain itself only ever receives a [`Timestamp`].
pub trait Clock: Debug + Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Where the shell takes chance from: ids, nonces, jitter. One seed gives one run.
pub trait Ids: Debug + Send + Sync {
    fn random(&self) -> u128;
}
