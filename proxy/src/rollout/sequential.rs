//! Sequential tests on a stream of good and bad outcomes: may be looked at after every single one of them.
//!
//! Pure. A fixed threshold on a window either waits too long or trips on chance, and looking at a fixed-size test again
//! and again makes it wrong. These tests are likelihood ratios that are restarted whenever they speak for
//! innocence (Page, Continuous Inspection Schemes, Biometrika 1954), so that a long good past does not hide a bad present. Each averages
//! several alternatives: a little worse, much worse, nothing works.

/// Whether bad outcomes are more frequent than a limit allows.
#[derive(Debug, Clone)]
pub(super) struct Excess {
    /// One running product of likelihood ratios per alternative, at least 1.
    products: [f64; MULTIPLES.len()],
}

/// The alternatives: so many times the limit.
const MULTIPLES: [f64; 4] = [2.5, 5.0, 15.0, 60.0];
/// No alternative says that everything fails: a single success would refute it.
const MOST: f64 = 0.9;
/// Where the fallback fails at every second request, there is nothing to be worse than.
const HOPELESS: f64 = 0.4;
/// Below this nothing is a limit: one bad outcome in ten thousand is no proof of anything.
const LEAST: f64 = 0.000_1;

impl Default for Excess {
    fn default() -> Self {
        Self { products: [1.0; MULTIPLES.len()] }
    }
}

impl Excess {
    /// Takes one outcome in; `limit` is the share of bad outcomes that is still allowed, 0 to 1.
    pub(super) fn add(&mut self, bad: bool, limit: f64) {
        if limit >= HOPELESS {
            *self = Self::default();
            return;
        }
        let limit = limit.max(LEAST);
        for (product, multiple) in self.products.iter_mut().zip(MULTIPLES) {
            let alternative = (limit * multiple).min(MOST);
            let ratio = if bad { alternative / limit } else { (1.0 - alternative) / (1.0 - limit) };
            *product = (*product * ratio).max(1.0);
        }
    }

    /// How much more likely the outcomes are if the limit is exceeded than if it is kept.
    pub(super) fn evidence(&self) -> f64 {
        self.products.iter().sum::<f64>() / MULTIPLES.len() as f64
    }
}

/// Whether bad outcomes come from the candidate more often than its share of the requests explains.
///
/// Looks at bad outcomes only, whoever they came from: a cause that both sides share (a database that is down) makes
/// bad outcomes on both in proportion, and proves nothing.
#[derive(Debug, Clone)]
pub(super) struct Imbalance {
    products: [f64; ODDS.len()],
}

/// The alternatives: so many times as likely on the candidate as on the fallback.
const ODDS: [f64; 4] = [2.0, 5.0, 20.0, 100.0];

impl Default for Imbalance {
    fn default() -> Self {
        Self { products: [1.0; ODDS.len()] }
    }
}

impl Imbalance {
    /// Takes one bad outcome in; `share` is the candidate's share of the requests lately, 0 to 1.
    pub(super) fn add(&mut self, candidate: bool, share: f64) {
        let share = share.clamp(0.001, 0.999);
        for (product, odds) in self.products.iter_mut().zip(ODDS) {
            let weight = if candidate { odds } else { 1.0 };
            *product = (*product * weight / (share * odds + 1.0 - share)).max(1.0);
        }
    }

    /// How much more likely the outcomes are if the candidate is worse than if both are equal.
    pub(super) fn evidence(&self) -> f64 {
        self.products.iter().sum::<f64>() / ODDS.len() as f64
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A reproducible stream of numbers between 0 and 1 (SplitMix64).
    pub(in super::super) struct Chance(pub(in super::super) u64);

    impl Chance {
        pub(in super::super) fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut bits = self.0;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    use super::super::guard::{CHANCE_FREE, PROOF};

    /// How many bad outcomes it takes at this rate.
    fn bad_until_proof(rate: f64, limit: f64, seed: u64) -> Option<u32> {
        let (mut test, mut chance, mut bad) = (Excess::default(), Chance(seed), 0);
        for _ in 0..100_000 {
            let failed = chance.next() < rate;
            bad += u32::from(failed);
            test.add(failed, limit);
            if test.evidence() >= PROOF {
                return Some(bad);
            }
        }
        None
    }

    #[test]
    fn five_percent_are_found_within_twenty_bad_outcomes() {
        let late =
            (0..400).filter(|seed| bad_until_proof(0.05, 0.01, *seed).is_none_or(|bad| bad > 20)).count();
        assert!(late <= 4, "{late} of 400 took more than 20");
        let late =
            (0..400).filter(|seed| bad_until_proof(0.05, 0.005, *seed).is_none_or(|bad| bad > 20)).count();
        assert_eq!(late, 0, "with the usual limit");
    }

    #[test]
    fn a_side_where_nothing_works_is_found_at_once() {
        assert!(bad_until_proof(1.0, 0.01, 1).is_some_and(|bad| bad <= 4));
        assert!(bad_until_proof(0.5, 0.01, 1).is_some_and(|bad| bad <= 8));
    }

    #[test]
    fn a_good_hour_does_not_hide_a_bad_minute() {
        let mut test = Excess::default();
        (0..1_000_000).for_each(|_| test.add(false, 0.01));
        (0..5).for_each(|_| test.add(true, 0.01));
        assert!(test.evidence() >= PROOF);
    }

    #[test]
    fn what_is_allowed_proves_nothing() {
        let cases = [
            (0.0, 0.005, PROOF),
            (0.001, 0.005, PROOF),
            (0.002, 0.01, PROOF),
            (0.01, 0.02, PROOF * CHANCE_FREE),
            (0.03, 0.04, PROOF * CHANCE_FREE),
        ];
        for (rate, limit, proof) in cases {
            let (mut test, mut chance) = (Excess::default(), Chance(7));
            for n in 0..4_000_000 {
                test.add(chance.next() < rate, limit);
                assert!(test.evidence() < proof, "{rate} against {limit} after {n}");
            }
        }
    }

    #[test]
    fn equal_sides_look_unequal_seldom() {
        for share in [0.01, 0.05, 0.25, 0.5] {
            let (mut test, mut chance) = (Imbalance::default(), Chance(3));
            let unequal = (0..100_000).filter(|_| {
                test.add(chance.next() < share, share);
                test.evidence() >= 1_000.0
            });
            let unequal = unequal.count();
            assert!(unequal < 500, "share {share}: {unequal} of 100,000");
        }
    }

    #[test]
    fn the_candidate_alone_failing_is_seen_at_any_share_below_a_half() {
        for share in [0.01, 0.05, 0.25, 0.5] {
            let mut test = Imbalance::default();
            (0..20).for_each(|_| test.add(true, share));
            assert!(test.evidence() >= 1_000.0, "share {share}: {}", test.evidence());
        }
    }
}
