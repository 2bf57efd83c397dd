//! How long the fallback usually takes, and from when on an answer counts as slow.

use std::time::Duration;

/// How many answers of the fallback are remembered.
const KEPT: usize = 1_024;
/// With fewer there is no 95th percentile to speak of.
const ENOUGH: usize = 200;
/// With fewer there is not even an impression.
const FEW: usize = 20;
/// How many new answers are taken in before the percentile is computed again.
const STEP: usize = 32;
/// A little more than the longest that were seen: it shall be rare on the fallback.
const BEYOND: f64 = 1.2;
/// Where fewer were seen, the longest of all that it does is yet to come.
const BEYOND_FEW: f64 = 1.5;
/// Nobody notices less than this, in whatever ratio it stands.
const NOTICEABLE: Duration = Duration::from_millis(50);

/// How long somebody usually takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usual {
    /// The 95th percentile.
    pub(super) p95: Duration,
    /// A little more than the second longest of the last answers: whatever is longer is rare.
    pub(super) rare: Duration,
}

/// The fallback's latest answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Latency {
    kept: Vec<Duration>,
    next: usize,
    since: usize,
    usual: Option<Usual>,
}

impl Latency {
    /// What was known before the first answer.
    pub(super) fn known(usual: Usual) -> Self {
        Self { usual: Some(usual), ..Self::default() }
    }

    pub(super) fn add(&mut self, waited: Duration) {
        if self.kept.len() < KEPT {
            self.kept.push(waited);
        } else {
            self.kept[self.next] = waited;
        }
        self.next = (self.next + 1) % KEPT;
        self.since += 1;
        if self.kept.len() >= ENOUGH && (self.usual.is_none() || self.since >= STEP) {
            let mut sorted = self.kept.clone();
            let (rank, rare) = (sorted.len() * 95 / 100, sorted.len() - 2);
            let p95 = *sorted.select_nth_unstable(rank).1;
            let beyond = if sorted.len() < KEPT { BEYOND_FEW } else { BEYOND };
            self.usual = Some(Usual { p95, rare: sorted.select_nth_unstable(rare).1.mul_f64(beyond) });
            self.since = 0;
        }
    }

    /// How long it usually takes; none while too little was seen.
    pub(super) fn usual(&self) -> Option<Usual> {
        self.usual
    }

    /// The same of few answers, for a first impression; none of next to nothing.
    pub(super) fn rough_p95(&self) -> Option<Duration> {
        if self.usual.is_some() || self.kept.len() < FEW {
            return self.usual.map(|usual| usual.p95);
        }
        let mut sorted = self.kept.clone();
        let rank = sorted.len() * 95 / 100;
        Some(*sorted.select_nth_unstable(rank).1)
    }

    /// Answers that take longer are slow: more than this many times the 95th percentile, noticeably more, and more than
    /// what the fallback itself takes now and then.
    pub(super) fn slow_from(&self, ratio: f64) -> Option<Duration> {
        self.usual.map(|Usual { p95, rare }| p95.mul_f64(ratio).max(p95 + NOTICEABLE).max(rare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_is_relative_to_the_fallback_and_noticeable() {
        let mut latency = Latency::default();
        (1..=199).for_each(|ms| latency.add(Duration::from_millis(ms)));
        assert_eq!(latency.slow_from(2.0), None, "too few");
        latency.add(Duration::from_millis(200));
        assert_eq!(latency.rough_p95(), Some(Duration::from_millis(191)));
        assert_eq!(latency.slow_from(2.0), Some(Duration::from_millis(382)), "by the ratio");
        assert_eq!(latency.slow_from(1.01), Some(Duration::from_micros(298_500)), "few were seen");
        (0..KEPT).for_each(|n| latency.add(Duration::from_millis(if n < 5 { 500 } else { 10 })));
        assert_eq!(latency.slow_from(2.0), Some(Duration::from_millis(600)), "the fallback does that too");
    }

    #[test]
    fn old_answers_are_forgotten() {
        let mut latency = Latency::default();
        (0..KEPT).for_each(|_| latency.add(Duration::from_secs(1)));
        (0..KEPT + STEP).for_each(|_| latency.add(Duration::from_millis(10)));
        assert_eq!(latency.rough_p95(), Some(Duration::from_millis(10)));
    }
}
