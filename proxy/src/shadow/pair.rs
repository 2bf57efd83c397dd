//! A comparison that somebody asks for, of two answers that they have: nothing is counted.

use chrono::Utc;

use super::Shadow;
use super::compare::{Answer, Asked, Case, Comparison, Design};
use crate::route::Route;

impl Shadow {
    /// Compares what fallback and candidate of a route answered to the same request, by the rules of the route.
    pub fn compare_pair(
        &self,
        route: &Route,
        asked: &Asked,
        (reference, candidate): (&Answer, &Answer),
    ) -> Comparison {
        let design = Design::of(self.options.side(&route.fallback), self.options.side(&route.candidate));
        let rules = route.shadow.as_ref().map(|shadow| shadow.ignore.as_slice()).unwrap_or_default();
        self.judge.compare(&Case { asked, reference, candidate, design, rules, now: Utc::now() })
    }
}
