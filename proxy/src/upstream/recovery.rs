//! How much of its share an upstream gets after it is back: little at first, all of it after the slow start.
//!
//! Pure: the clock is an argument (milliseconds since any fixed moment).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The whole share.
pub(super) const WHOLE: usize = 1_000;
/// The share at the beginning.
const LEAST: usize = WHOLE / 10;

/// Since when an upstream is back.
#[derive(Debug)]
pub(super) struct Recovery {
    /// 0: it is no longer, or was never, away.
    since: AtomicU64,
    slow_start: u64,
}

impl Recovery {
    pub(super) fn new(slow_start: Duration) -> Self {
        let slow_start = u64::try_from(slow_start.as_millis()).unwrap_or(u64::MAX);
        Self { since: AtomicU64::new(0), slow_start }
    }

    /// It is back.
    pub(super) fn begin(&self, now: u64) {
        self.since.store(now.max(1), Ordering::Release);
    }

    /// Its share, of [`WHOLE`].
    pub(super) fn share(&self, now: u64) -> usize {
        let since = self.since.load(Ordering::Acquire);
        if since == 0 {
            return WHOLE;
        }
        let passed = now.saturating_sub(since);
        if passed >= self.slow_start {
            self.since.store(0, Ordering::Release);
            return WHOLE;
        }
        let share = (WHOLE as u64).saturating_mul(passed) / self.slow_start;
        usize::try_from(share).unwrap_or(WHOLE).max(LEAST)
    }

    /// Whether it gets less than its share.
    pub(super) fn is_slow(&self, now: u64) -> bool {
        self.share(now) < WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_until_it_is_whole() {
        let recovery = Recovery::new(Duration::from_secs(10));
        assert_eq!(recovery.share(5_000), WHOLE, "it was never away");
        recovery.begin(5_000);
        for (now, share) in [(5_000, 100), (6_500, 150), (10_000, 500), (14_999, 999), (15_000, WHOLE)] {
            assert_eq!(recovery.share(now), share, "{now}");
        }
        assert!(!recovery.is_slow(15_001));
        let at_once = Recovery::new(Duration::ZERO);
        at_once.begin(1);
        assert_eq!(at_once.share(1), WHOLE);
    }
}
