//! Whether an upstream is worth a connection attempt.
//!
//! Pure: the clock is an argument (milliseconds since any fixed moment). Opens at the first failure to connect;
//! while open, one request at a time is let through as a probe, at growing intervals.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// First pause after a failure, in milliseconds.
const SHORTEST_PAUSE: u64 = 100;
/// Longest pause between two probes, in milliseconds.
const LONGEST_PAUSE: u64 = 2_000;

/// Counts failures to connect to one upstream.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: AtomicU32,
    retry_at: AtomicU64,
}

impl Breaker {
    /// Whether to try now. While open, the caller that gets `true` is the probe and must report back.
    pub(crate) fn allows(&self, now: u64) -> bool {
        let failures = self.failures.load(Ordering::Acquire);
        if failures == 0 {
            return true;
        }
        let retry_at = self.retry_at.load(Ordering::Acquire);
        now >= retry_at
            && self
                .retry_at
                .compare_exchange(retry_at, now + pause(failures), Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    /// Failures in a row; 0 when closed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Acquire)
    }

    /// Records a connection; `true` if the upstream was thought to be down.
    pub(crate) fn succeeded(&self) -> bool {
        // Almost every call finds 0: a read costs less than a write that all threads share.
        self.failures() != 0 && self.failures.swap(0, Ordering::AcqRel) != 0
    }

    /// Records a failure to connect; `true` if it is the first.
    pub(crate) fn failed(&self, now: u64) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        self.retry_at.store(now + pause(failures), Ordering::Release);
        failures == 1
    }
}

fn pause(failures: u32) -> u64 {
    let doublings = failures.saturating_sub(1).min(10);
    (SHORTEST_PAUSE << doublings).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_breaker_lets_everyone_through() {
        let breaker = Breaker::default();
        assert!(breaker.allows(0) && breaker.allows(0));
        assert!(!breaker.succeeded(), "nothing recovered");
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_per_pause() {
        let breaker = Breaker::default();
        assert!(breaker.failed(1_000), "the first failure opens it");
        assert!(!breaker.allows(1_000));
        assert!(!breaker.allows(1_099));
        assert!(breaker.allows(1_100), "the probe");
        assert!(!breaker.allows(1_100), "only one");
        assert!(!breaker.failed(1_100), "already open");
        assert!(!breaker.allows(1_299), "the pause has doubled");
        assert!(breaker.allows(1_300));
    }

    #[test]
    fn a_success_closes_it_at_once() {
        let breaker = Breaker::default();
        breaker.failed(0);
        assert!(breaker.succeeded());
        assert!(breaker.allows(0) && breaker.allows(0));
        assert_eq!(breaker.failures(), 0);
    }

    #[test]
    fn pauses_are_bounded() {
        assert_eq!(pause(1), 100);
        assert_eq!(pause(5), 1_600);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
