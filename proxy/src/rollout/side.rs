//! What one side of a guarded route did: all of it since the guard began, and how busy it is now.
//!
//! Pure; the clock is an argument.

use std::time::Duration;

/// Fewer requests than this say nothing about what is usual.
const ENOUGH: f64 = 50.0;

/// A latest share from which on it is no chance any more.
const OUTAGE: f64 = 0.1;
/// So many of the last requests make the latest share.
const LATEST: f64 = 50.0;

/// One side.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// Half of what was counted is forgotten after so many milliseconds.
    half_life: f64,
    last: u64,
    recent: f64,
    /// For what is usual: forgets ten times as slowly.
    usual: Usual,
    /// The share of failures and of slow answers among the last requests, whatever time they took to come.
    latest: (f64, f64),
    total: Total,
}

#[derive(Debug, Clone, Copy, Default)]
struct Usual {
    requests: f64,
    failed: f64,
    slow: f64,
}

/// Counts since the guard began to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
    pub(super) waited: Duration,
    pub(super) compared: u64,
    pub(super) mismatches: u64,
}

impl Side {
    pub(super) fn new(window: Duration) -> Self {
        let half_life = (window.as_millis() as f64 / 6.0).max(1_000.0);
        Self {
            half_life,
            last: 0,
            recent: 0.0,
            usual: Usual::default(),
            latest: (0.0, 0.0),
            total: Total::default(),
        }
    }

    /// A request that ended; whether it was slow may be known later.
    pub(super) fn count(&mut self, at: u64, failed: bool, waited: Duration) {
        let passed = at.saturating_sub(self.last) as f64;
        let slowly = forget(passed, self.half_life * 10.0);
        self.recent = self.recent * forget(passed, self.half_life) + 1.0;
        let usual = &mut self.usual;
        usual.requests = usual.requests * slowly + 1.0;
        usual.failed = usual.failed * slowly + f64::from(u8::from(failed));
        usual.slow *= slowly;
        self.latest.0 = step(self.latest.0, failed);
        self.last = self.last.max(at);
        self.total.requests += 1;
        self.total.failed += u64::from(failed);
        self.total.waited += waited;
    }

    /// Whether a request that was counted was slow.
    pub(super) fn judge(&mut self, slow: bool) {
        self.usual.slow += f64::from(u8::from(slow));
        self.latest.1 = step(self.latest.1, slow);
        self.total.slow += u64::from(slow);
    }

    pub(super) fn compared(&mut self, mismatch: bool) {
        self.total.compared += 1;
        self.total.mismatches += u64::from(mismatch);
    }

    pub(super) fn requests(&self) -> u64 {
        self.total.requests
    }

    pub(super) fn total(&self) -> Total {
        self.total
    }

    /// This side's share of the requests lately, 0 to 1.
    pub(super) fn share_against(&self, other: &Self, now: u64) -> f64 {
        let busy = |side: &Self| side.recent * forget(now.saturating_sub(side.last) as f64, side.half_life);
        let (this, other) = (busy(self), busy(other));
        if this + other > 0.0 { this / (this + other) } else { 0.0 }
    }

    /// The share of failures that is usual here, with a margin for chance, or the latest if that is more: an outage
    /// that both sides share must not look like the other side's fault.
    pub(super) fn failing(&self) -> f64 {
        outage_or(self.latest.0, self.with_margin(self.usual.failed))
    }

    /// The share of slow answers that is usual here, with a margin for chance.
    pub(super) fn slow(&self) -> f64 {
        outage_or(self.latest.1, self.with_margin(self.usual.slow))
    }

    /// Twice the standard deviation of a count is about its root doubled; none of nothing.
    fn with_margin(&self, count: f64) -> f64 {
        if self.usual.requests < ENOUGH || count < 0.5 {
            return 0.0;
        }
        ((count + 2.0 * count.sqrt()) / self.usual.requests).min(1.0)
    }
}

/// The share among the last requests, one request later.
fn step(share: f64, bad: bool) -> f64 {
    share + (f64::from(u8::from(bad)) - share) / LATEST
}

fn outage_or(latest: f64, usual: f64) -> f64 {
    if latest >= OUTAGE { latest.max(usual) } else { usual }
}

fn forget(passed: f64, half_life: f64) -> f64 {
    (-passed / half_life * std::f64::consts::LN_2).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn a_share_follows_the_traffic() {
        let (mut one, mut other) = (Side::new(WINDOW), Side::new(WINDOW));
        for at in 0..10_000 {
            let side = if at % 4 == 0 { &mut one } else { &mut other };
            side.count(at, false, Duration::ZERO);
        }
        assert!((one.share_against(&other, 10_000) - 0.25).abs() < 0.01);
        (10_000..200_000).for_each(|at| one.count(at, false, Duration::ZERO));
        assert!(one.share_against(&other, 200_000) > 0.99, "the other side's requests are forgotten");
    }

    #[test]
    fn what_is_usual_needs_enough_requests() {
        let mut side = Side::new(WINDOW);
        (0..40).for_each(|at| side.count(at, at % 4 == 0, Duration::ZERO));
        assert!(side.failing() < 0.2, "only the latest: {}", side.failing());
        (40..1_000).for_each(|at| side.count(at, at % 4 == 0, Duration::ZERO));
        assert!((0.25..0.32).contains(&side.failing()), "{}", side.failing());
        assert_eq!(side.slow(), 0.0);
    }

    #[test]
    fn a_clock_that_jumps_back_harms_nothing() {
        let mut side = Side::new(WINDOW);
        side.count(1_000, true, Duration::ZERO);
        side.count(10, true, Duration::ZERO);
        assert_eq!(side.total().failed, 2);
    }
}
