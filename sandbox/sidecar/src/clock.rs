use std::time::{SystemTime, UNIX_EPOCH};

use modbox_sandbox::{Clock, Timestamp};

/// The machine's wall clock. Deadlines are moments, not spans: when the clock is set, they follow it.
#[derive(Debug)]
pub(crate) struct WallClock;

impl Clock for WallClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the sidecar is a program of its own, and this is its edge"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}
