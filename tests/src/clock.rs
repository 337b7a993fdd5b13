use modbox_sandbox::{Clock, Timestamp};
use tokio::time::Instant;

/// The wall clock as tokio's paused time sees it: what sleeps and what reads the clock never disagree.
#[derive(Debug)]
pub struct TestClock {
    started: Instant,
}

/// 2027-01-15T08:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

impl TestClock {
    /// Reads 2027-01-15T08:00:00Z now.
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        START + self.started.elapsed()
    }
}
