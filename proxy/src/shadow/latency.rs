//! How long answers took, counted in classes: small enough to be stored, and two of them can be added. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::certificate::Latency;

/// Classes of one octave: a class is at most 6.25 % wide.
const CLASSES: u32 = 16;

/// Durations by class, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Latencies(BTreeMap<u32, u64>);

impl Latencies {
    pub(super) fn add(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        *self.0.entry(class(micros)).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (class, count) in &other.0 {
            *self.0.entry(*class).or_default() += count;
        }
    }

    /// Absent if nothing was measured.
    pub(super) fn quantiles(&self) -> Option<Latency> {
        let count: u64 = self.0.values().sum();
        let of = |share: u64| {
            // The smallest one that is not below this share of them.
            let rank = (count * share).div_ceil(100).max(1);
            let mut seen = 0;
            let found = self.0.iter().find(|(_, count)| {
                seen += **count;
                seen >= rank
            });
            found.map(|(class, _)| largest(*class)).unwrap_or_default()
        };
        (count > 0).then(|| Latency { count, p50: of(50), p95: of(95), p99: of(99) })
    }
}

fn class(micros: u64) -> u32 {
    let Some(octave) = micros.checked_ilog2().filter(|octave| *octave >= 4) else {
        return u32::try_from(micros).unwrap_or_default();
    };
    let within = (micros >> (octave - 4)) & u64::from(CLASSES - 1);
    (octave - 3) * CLASSES + u32::try_from(within).unwrap_or_default()
}

/// The largest duration of a class.
fn largest(class: u32) -> u64 {
    if class < CLASSES {
        return u64::from(class);
    }
    let (octave, within) = (class / CLASSES + 3, u64::from(class % CLASSES));
    let width = 1u64.checked_shl(octave.saturating_sub(4)).unwrap_or(1);
    (16 + within).saturating_mul(width).saturating_add(width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_is_a_little_less_than_its_largest() {
        for micros in (0..70_000).chain([1_000_000, 123_456_789, u64::MAX / 3]) {
            let bound = largest(class(micros));
            assert!(bound >= micros && bound as f64 <= micros as f64 * 1.0626, "{micros}: {bound}");
            assert!(micros == 0 || class(micros) >= class(micros - 1));
        }
    }

    #[test]
    fn quantiles_are_those_of_all_that_was_added() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        assert_eq!(one.quantiles(), None);
        for millis in 1..=100 {
            let which = if millis % 2 == 0 { &mut one } else { &mut other };
            which.add(Duration::from_millis(millis));
        }
        one.merge(&other);
        let text = serde_json::to_string(&one).unwrap();
        let latency = serde_json::from_str::<Latencies>(&text).unwrap().quantiles().unwrap();
        assert_eq!(latency.count, 100);
        for (found, millis) in [(latency.p50, 50.0), (latency.p95, 95.0), (latency.p99, 99.0)] {
            let found = found as f64 / 1_000.0;
            assert!(found >= millis && found <= millis * 1.07, "{found}, not {millis}");
        }
    }
}
