//! Replayed recordings as evidence. Whoever replays tells what came of it, route by route and session by session; it counts only
//! for what runs now, only once, and only if something was compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Shadow;
use super::certificate::Uncounted;
use super::period::Seen;

/// Most sessions that are remembered as counted, so that none counts twice.
const MOST_SESSIONS: usize = 4_000;
/// Most comparisons of one session.
const MOST_COMPARISONS: u64 = 100_000;

/// What came of replaying the requests of one route in one session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplayedRoute {
    /// The route.
    pub route: String,
    /// The recording and the session, in a word that no other one has.
    pub session: String,
    /// The backend whose answers were recorded.
    pub reference: String,
    /// What that backend said it was then.
    pub code: Option<String>,
    /// The backend that was asked now.
    pub asked: String,
    /// What it said it was before it was asked.
    pub build: Option<String>,
    /// The hash of the rules under which answers were compared.
    pub rules: String,
    /// Comparisons by method and class of status.
    pub strata: Vec<ReplayedStratum>,
    /// Of these, the ones that differ as rules allow.
    pub ignored: u64,
    /// What was asked and does not count.
    pub uncounted: Uncounted,
}

/// One kind of request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayedStratum {
    /// The method.
    pub method: String,
    /// The class of the recorded status, such as `2xx`.
    pub status: String,
    /// Comparisons.
    pub n: u64,
    /// Mismatches.
    pub k: u64,
}

impl ReplayedRoute {
    /// Comparisons, if they can be true.
    fn comparisons(&self) -> Option<u64> {
        let word = |text: &str| {
            (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let good = |one: &ReplayedStratum| one.k <= one.n && word(&one.method) && word(&one.status);
        let sum = self.strata.iter().try_fold(0_u64, |sum, one| sum.checked_add(one.n))?;
        (self.strata.iter().all(good) && sum <= MOST_COMPARISONS && self.ignored <= sum).then_some(sum)
    }
}

impl Shadow {
    /// What the programs behind the backends are, where they have said so.
    pub fn programs(&self) -> BTreeMap<String, String> {
        let told = |name: &String| match self.abouts.of(name)?.program {
            Seen::Told(program) => Some((name.clone(), program)),
            Seen::Unknown | Seen::Silent => None,
        };
        self.options.backends.iter().filter_map(told).collect()
    }

    /// Asks all backends what they are, now.
    pub async fn ask_all_programs(&self) {
        for name in &self.options.backends {
            let Some(backend) = self.backends.get(name) else { continue };
            let (side, secret) = (self.options.side(name), self.options.channel_secret.0.as_deref());
            self.abouts.ask(backend, side, secret).await;
        }
    }

    /// Counts what came of a replay; how many comparisons these are.
    ///
    /// # Errors
    /// Why it does not count, in one sentence.
    pub fn count_replayed(&self, replayed: &ReplayedRoute) -> Result<u64, String> {
        let routing = self.live.load();
        let name = &replayed.route;
        let route =
            routing.table.route(name).ok_or_else(|| format!("there is no route `{name}` any more"))?;
        if route.shadow.as_ref().is_none_or(|shadow| shadow.sample <= 0.0) {
            return Err(format!("`{name}` has no certificate: `ficus shadow {name}` begins one"));
        }
        let comparisons = replayed.comparisons().ok_or("these numbers cannot be true")?;
        if comparisons == 0 {
            return Err("nothing could be compared".to_owned());
        }
        if replayed.reference != route.fallback {
            return Err(format!("the recorded answers are of `{}`, not of the fallback", replayed.reference));
        }
        if replayed.asked != route.candidate {
            return Err(format!(
                "`{}` was asked, and the candidate is `{}`",
                replayed.asked, route.candidate
            ));
        }
        let rules = self.rules_now(route);
        if replayed.rules != rules {
            return Err("the rules under which it was compared are not those that hold".to_owned());
        }
        self.same("the code of the fallback", &route.fallback, replayed.code.as_deref())?;
        self.same("the build of the candidate", &route.candidate, replayed.build.as_deref())?;
        let remembered = self.ledger.replayed_sessions(name, &rules);
        if remembered.contains(&replayed.session) {
            return Err("it was counted before".to_owned());
        }
        if remembered.len() >= MOST_SESSIONS || replayed.session.len() > 64 {
            return Err(format!("{MOST_SESSIONS} sessions are counted already, which is enough"));
        }
        self.ledger.count(name, &rules, |counts| {
            for one in &replayed.strata {
                counts.add_many([&one.method, &one.status, "-"], (one.n, one.k));
            }
            counts.ignored += replayed.ignored;
            counts.replayed += comparisons;
            counts.uncounted.add(&replayed.uncounted);
            counts.sessions.insert(replayed.session.clone());
        });
        Ok(comparisons)
    }

    /// What is counted belongs to a program that is known, and to no other.
    fn same(&self, what: &str, backend: &str, then: Option<&str>) -> Result<(), String> {
        let now = self.abouts.of(backend).map(|about| about.program);
        match (then, now) {
            (Some(then), Some(Seen::Told(now))) if then == now => Ok(()),
            (Some(then), Some(Seen::Told(now))) => Err(format!("{what} was `{then}`, and is `{now}` now")),
            (None, _) => Err(format!("{what} was not known then, so nobody knows whether it is the same")),
            (_, _) => Err(format!("{what} is not known now, so nobody knows whether it is the same")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_can_be_true_are_taken() {
        let of = |n: u64, k: u64, ignored: u64, method: &str| ReplayedRoute {
            strata: vec![ReplayedStratum { method: method.to_owned(), status: "2xx".to_owned(), n, k }],
            ignored,
            ..ReplayedRoute::default()
        };
        assert_eq!(of(3, 1, 2, "GET").comparisons(), Some(3));
        assert_eq!(of(0, 0, 0, "GET").comparisons(), Some(0));
        for wrong in [of(1, 2, 0, "GET"), of(1, 0, 2, "GET"), of(1, 0, 0, "G T"), of(u64::MAX, 0, 0, "GET")] {
            assert_eq!(wrong.comparisons(), None, "{wrong:?}");
        }
    }
}
