//! What became of copies since start-up, route by route: for `ficus diffs` and for gates.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// Numbers of one route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RouteTally {
    /// Pairs of answers, by result.
    pub compared: BTreeMap<&'static str, u64>,
    /// Of these, those that could not be compared in full, by reason.
    pub incomparable: BTreeMap<&'static str, u64>,
    /// Differences, by what came out when the sides were asked again.
    pub again: BTreeMap<&'static str, u64>,
    /// Requests that were not copied, by reason.
    pub dropped: BTreeMap<&'static str, u64>,
    /// Differences that a rule allowed, by rule.
    pub ignored: BTreeMap<String, u64>,
}

/// Numbers of all routes.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<String, RouteTally>>);

impl Tally {
    pub(super) fn compared(&self, route: &str, result: &'static str) {
        self.change(route, |tally| *tally.compared.entry(result).or_default() += 1);
    }

    pub(super) fn again(&self, route: &str, result: &'static str) {
        self.change(route, |tally| *tally.again.entry(result).or_default() += 1);
    }

    pub(super) fn incomparable(&self, route: &str, reason: &'static str) {
        self.change(route, |tally| *tally.incomparable.entry(reason).or_default() += 1);
    }

    pub(super) fn dropped(&self, route: &str, reason: &'static str) {
        self.change(route, |tally| *tally.dropped.entry(reason).or_default() += 1);
    }

    pub(super) fn ignored(&self, route: &str, rule: &str, times: u64) {
        self.change(route, |tally| *tally.ignored.entry(rule.to_owned()).or_default() += times);
    }

    /// All numbers.
    pub(super) fn all(&self) -> BTreeMap<String, RouteTally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, route: &str, change: impl FnOnce(&mut RouteTally)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = all.get_mut(route) {
            change(tally);
        } else {
            change(all.entry(route.to_owned()).or_default());
        }
    }
}
