//! Whether an upstream that accepts connections is left alone because it fails.
//!
//! Pure: the clock is an argument (milliseconds since any fixed moment). Failures in a row are counted; who decides
//! that there are too many, and that enough others are left, is `backend`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The longest time an upstream is left alone, in milliseconds.
const LONGEST: u64 = 5 * 60 * 1_000;
/// After this long without trouble the next ejection is short again, in milliseconds.
const FORGIVEN: u64 = 10 * 60 * 1_000;

/// The failures of one upstream.
#[derive(Debug, Default)]
pub(super) struct Ejection {
    /// Failures in a row.
    failures: AtomicU32,
    /// Until when it is left alone; 0: it is not.
    until: AtomicU64,
    /// Ejections since it was last well for long.
    times: AtomicU32,
    /// When the last ejection ended or will end.
    last: AtomicU64,
    /// Ejections since the start, for metrics.
    total: AtomicU64,
}

impl Ejection {
    /// Records an answer: almost every call finds no failure before it, and only reads.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    /// Records a failure; returns how many there were in a row.
    pub(super) fn failed(&self) -> u32 {
        self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Leaves it alone from now on: for `time` milliseconds at first, twice as long each time.
    pub(super) fn eject(&self, now: u64, time: u64) -> u64 {
        if now.saturating_sub(self.last.load(Ordering::Acquire)) > FORGIVEN {
            self.times.store(0, Ordering::Release);
        }
        let doublings = self.times.fetch_add(1, Ordering::AcqRel).min(20);
        let length = (time << doublings).min(LONGEST.max(time));
        self.failures.store(0, Ordering::Relaxed);
        self.last.store(now + length, Ordering::Release);
        self.until.store((now + length).max(1), Ordering::Release);
        self.total.fetch_add(1, Ordering::Relaxed);
        length
    }

    /// Whether it is left alone.
    pub(super) fn is_ejected(&self, now: u64) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until != 0 && now < until
    }

    /// True once, when the time is over.
    pub(super) fn has_returned(&self, now: u64) -> bool {
        let until = self.until.load(Ordering::Acquire);
        until != 0
            && now >= until
            && self.until.compare_exchange(until, 0, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Ejections since the start.
    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_in_a_row_only() {
        let ejection = Ejection::default();
        assert_eq!((ejection.failed(), ejection.failed()), (1, 2));
        ejection.succeeded();
        assert_eq!(ejection.failed(), 1);
    }

    #[test]
    fn each_ejection_is_twice_as_long_until_it_is_forgiven() {
        let ejection = Ejection::default();
        assert_eq!(ejection.eject(1_000, 10_000), 10_000);
        assert!(ejection.is_ejected(1_000) && ejection.is_ejected(10_999));
        assert!(!ejection.has_returned(10_999));
        assert!(!ejection.is_ejected(11_000));
        assert!(ejection.has_returned(11_000) && !ejection.has_returned(11_000), "only once");
        assert_eq!(ejection.eject(20_000, 10_000), 20_000);
        assert_eq!(ejection.eject(50_000, 10_000), 40_000);
        assert_eq!(ejection.eject(90_000 + FORGIVEN + 1, 10_000), 10_000);
        assert_eq!(ejection.total(), 4);
    }

    #[test]
    fn no_ejection_lasts_for_ever() {
        let ejection = Ejection::default();
        let longest = (0..100).map(|_| ejection.eject(0, 10_000)).max();
        assert_eq!(longest, Some(LONGEST));
        assert_eq!(Ejection::default().eject(0, LONGEST * 2), LONGEST * 2, "as the settings say");
    }
}
