use modbox_sandbox::Timestamp;

/// A token bucket that is read from the clock, so that no timer refills it.
///
/// It remembers only when it will be full again: taking a token moves that moment by one refill interval.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: i64,
    refill_ms: i64,
    full_at: Timestamp,
}

impl Bucket {
    /// A full bucket of `capacity` tokens, refilled at `per_second`.
    pub(super) fn full(capacity: u32, per_second: u32) -> Self {
        Self {
            capacity: i64::from(capacity),
            refill_ms: 1000 / i64::from(per_second.clamp(1, 1000)),
            full_at: Timestamp::from_millis(i64::MIN),
        }
    }

    /// Takes all `tokens`, or none.
    pub(super) fn take(&mut self, tokens: u32, now: Timestamp) -> bool {
        let missing_ms = self.full_at.millis().saturating_sub(now.millis()).max(0);
        let after_ms = missing_ms + i64::from(tokens) * self.refill_ms;
        if after_ms > self.capacity * self.refill_ms {
            return false;
        }
        self.full_at = Timestamp::from_millis(now.millis().saturating_add(after_ms));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + millis)
    }

    #[test]
    fn a_burst_of_100_passes_and_then_20_a_second() {
        let mut bucket = Bucket::full(100, 20);
        assert_eq!((0..150).filter(|_| bucket.take(1, at(0))).count(), 100);
        assert!(!bucket.take(1, at(49)));
        assert!(bucket.take(1, at(50)));
        assert_eq!((0..50).filter(|_| bucket.take(1, at(1050))).count(), 20);
        assert_eq!((0..150).filter(|_| bucket.take(1, at(60_000))).count(), 100);
    }

    #[test]
    fn a_request_for_several_takes_all_or_none() {
        let mut bucket = Bucket::full(100, 20);
        assert!(bucket.take(95, at(0)));
        assert!(!bucket.take(10, at(0)));
        assert!(bucket.take(5, at(0)));
    }
}
