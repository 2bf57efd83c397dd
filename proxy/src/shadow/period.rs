//! What was counted while nothing changed: a period. Pure: documents and counts go in, documents come out.
//!
//! A period belongs to one build of the candidate, one code of the fallback and one set of rules. When one of them
//! changes, it ends with a reason, the next one begins at zero, and the old one is kept as history.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bound::upper_bound;
use super::certificate::{Certificate, Expired, Provenance, RowParity, SelfTest, Stratum, Uncounted};
use super::latency::Latencies;

/// Most periods of a route that are kept, the last one included.
const MOST_PERIODS: usize = 10;
/// Most strata of a route; what does not fit is counted under the role `other`.
const MOST_STRATA: usize = 48;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    /// By `GET 2xx role`: comparisons and mismatches.
    pub(super) strata: BTreeMap<String, (u64, u64)>,
    pub(super) ignored: u64,
    pub(super) replayed: u64,
    pub(super) uncounted: Uncounted,
    pub(super) reference: Latencies,
    pub(super) candidate: Latencies,
    pub(super) rows: RowParity,
    /// Replayed sessions that are counted.
    pub(super) sessions: BTreeSet<String>,
}

impl Counts {
    /// One comparison of a kind of request.
    pub(super) fn add(&mut self, kind: [&str; 3], differs: bool) {
        self.add_many(kind, (1, u64::from(differs)));
    }

    /// Comparisons of a kind of request, and the mismatches among them.
    pub(super) fn add_many(&mut self, [method, status, role]: [&str; 3], (more, wrong): (u64, u64)) {
        let mut name = format!("{method} {status} {role}");
        if self.strata.len() >= MOST_STRATA && !self.strata.contains_key(&name) {
            name = format!("{method} {status} other");
        }
        let (n, k) = self.strata.entry(name).or_default();
        *n += more;
        *k += wrong;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (name, (n, k)) in &other.strata {
            let known = self.strata.contains_key(name) || self.strata.len() < MOST_STRATA;
            let name = match name.rsplit_once(' ') {
                Some((kind, _)) if !known => format!("{kind} other"),
                _ => name.clone(),
            };
            let (sum, wrong) = self.strata.entry(name).or_default();
            *sum += n;
            *wrong += k;
        }
        self.ignored += other.ignored;
        self.replayed += other.replayed;
        self.uncounted.add(&other.uncounted);
        self.reference.merge(&other.reference);
        self.candidate.merge(&other.candidate);
        self.rows.compared += other.rows.compared;
        self.rows.different += other.rows.different;
        self.sessions.extend(other.sessions.iter().cloned());
    }

    /// Comparisons and mismatches.
    pub(super) fn sums(&self) -> (u64, u64) {
        self.strata.values().fold((0, 0), |(n, k), (more, wrong)| (n + more, k + wrong))
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Period {
    pub(super) number: u64,
    pub(super) since: DateTime<Utc>,
    /// When something was added last.
    pub(super) last: DateTime<Utc>,
    #[serde(default)]
    pub(super) expired: Option<Expired>,
    pub(super) provenance: Provenance,
    #[serde(default)]
    pub(super) counts: Counts,
}

/// What a program says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Seen {
    /// It was not reached.
    #[default]
    Unknown,
    /// It answers, and does not say.
    Silent,
    /// This.
    Told(String),
}

/// What runs now, as far as it is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Now {
    pub(super) build: Seen,
    pub(super) code: Seen,
    pub(super) known_heads: Vec<String>,
    pub(super) head: Option<String>,
    /// The hash of the rules that hold.
    pub(super) rules: String,
    pub(super) at: DateTime<Utc>,
}

/// Adds what was counted, by the hash of the rules it was counted under, and ends the period if something changed.
pub(super) fn settle(periods: &mut Vec<Period>, now: &Now, pending: &BTreeMap<String, Counts>) {
    let none = Counts::default();
    let under = |rules: &str| pending.get(rules).unwrap_or(&none);
    let last = periods.last_mut().filter(|period| period.expired.is_none());
    let Some(period) = last else {
        let number = periods.last().map_or(1, |period| period.number + 1);
        periods.push(Period::begin(number, now, Provenance::default(), under(&now.rules)));
        return;
    };
    // What was counted since the last look was counted with what ran then.
    let more = under(&period.provenance.rules);
    if !more.is_empty() {
        period.counts.merge(more);
        period.last = now.at;
    }
    let (program, rules) = (period.program_change(now), period.provenance.rules != now.rules);
    if program.is_none() && !rules {
        period.adopt(now);
        return;
    }
    let reason = match &program {
        Some(reason) => reason.clone(),
        None => "the rules or the backends of the route changed".to_owned(),
    };
    period.expired = Some(Expired { at: now.at, reason });
    // After a change of programs nobody knows which of them answered what was counted since the last look.
    let counts = if program.is_none() { under(&now.rules) } else { &none };
    let (number, old) = (period.number + 1, period.provenance.clone());
    periods.push(Period::begin(number, now, old, counts));
    let surplus = periods.len().saturating_sub(MOST_PERIODS);
    periods.drain(..surplus);
}

impl Period {
    /// Before anything was counted.
    pub(super) fn empty(now: &Now) -> Self {
        Self::begin(0, now, Provenance::default(), &Counts::default())
    }

    fn begin(number: u64, now: &Now, old: Provenance, counts: &Counts) -> Self {
        let next = |seen: &Seen, old: Option<String>| match seen {
            Seen::Told(text) => Some(text.clone()),
            Seen::Silent => None,
            Seen::Unknown => old,
        };
        let provenance = Provenance {
            build: next(&now.build, old.build),
            code: next(&now.code, old.code),
            rules: now.rules.clone(),
            known_heads: now.known_heads.clone(),
            head: now.head.clone(),
        };
        Self { number, since: now.at, last: now.at, expired: None, provenance, counts: counts.clone() }
    }

    /// Why what was counted says nothing about the programs that run now.
    fn program_change(&self, now: &Now) -> Option<String> {
        let counted = self.counts.sums().0 > 0;
        let change = |what: &str, old: &Option<String>, seen: &Seen| match (old, seen) {
            (Some(old), Seen::Told(new)) if old != new => {
                Some(format!("{what} changed from `{}` to `{}`", short(old), short(new)))
            }
            (Some(old), Seen::Silent) => {
                Some(format!("{what} is not known any more; it was `{}`", short(old)))
            }
            (None, Seen::Told(new)) if counted => Some(format!(
                "{what} is known now, `{}`; what was counted belongs to an unknown one",
                short(new)
            )),
            _ => None,
        };
        change("the build of the candidate", &self.provenance.build, &now.build)
            .or_else(|| change("the code of the fallback", &self.provenance.code, &now.code))
    }

    /// Remembers what became known without changing.
    fn adopt(&mut self, now: &Now) {
        for (known, seen) in
            [(&mut self.provenance.build, &now.build), (&mut self.provenance.code, &now.code)]
        {
            if let Seen::Told(text) = seen {
                *known = Some(text.clone());
            }
        }
        if now.build != Seen::Unknown {
            self.provenance.known_heads.clone_from(&now.known_heads);
        }
        if now.code != Seen::Unknown {
            self.provenance.head.clone_from(&now.head);
        }
    }

    /// As it is shown, with what is not settled yet.
    pub(super) fn certificate(
        &self,
        route: &str,
        pending: Option<&Counts>,
        self_test: SelfTest,
    ) -> Certificate {
        let mut counts = self.counts.clone();
        if let Some(pending) = pending {
            counts.merge(pending);
        }
        let (comparisons, mismatches) = counts.sums();
        let stratum = |(name, sums): (&String, &(u64, u64))| {
            let mut parts = name.splitn(3, ' ');
            let mut part = || parts.next().unwrap_or_default();
            Stratum::new([part(), part(), part()], *sums)
        };
        let strata: Vec<Stratum> = counts.strata.iter().map(stratum).collect();
        let worst = strata.iter().map(|stratum| stratum.bound).fold(0.0, f64::max);
        Certificate {
            route: route.to_owned(),
            number: self.number,
            since: self.since,
            expired: self.expired.clone(),
            comparisons,
            mismatches,
            ignored: counts.ignored,
            replayed: counts.replayed,
            uncounted: counts.uncounted,
            overall_bound: upper_bound(comparisons, mismatches),
            worst_bound: if strata.is_empty() { 1.0 } else { worst },
            strata,
            reference: counts.reference.quantiles(),
            candidate: counts.candidate.quantiles(),
            rows: counts.rows,
            self_test,
            provenance: self.provenance.clone(),
        }
    }
}

/// Enough of a hash to tell it from others.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Seen {
        Seen::Told(text.to_owned())
    }

    fn now(build: Seen, code: Seen, rules: &str) -> Now {
        Now { build, code, rules: rules.to_owned(), at: Utc::now(), ..Now::default() }
    }

    fn counted(n: u64, k: u64) -> Counts {
        let mut counts = Counts::default();
        (0..n).for_each(|i| counts.add(["GET", "2xx", "-"], i < k));
        counts
    }

    fn under(rules: &str, n: u64) -> BTreeMap<String, Counts> {
        BTreeMap::from([(rules.to_owned(), counted(n, 0))])
    }

    fn sums(periods: &[Period]) -> Vec<(u64, u64, Option<&str>)> {
        let of = |period: &Period| period.expired.as_ref().map(|expired| expired.reason.clone());
        let all = periods.iter().map(|period| (period.number, period.counts.sums().0, of(period)));
        let all: Vec<(u64, u64, Option<String>)> = all.collect();
        all.into_iter().map(|(a, b, c)| (a, b, c.map(|text| &*Box::leak(text.into_boxed_str())))).collect()
    }

    #[test]
    fn a_period_grows_while_nothing_changes() {
        let mut periods = Vec::new();
        let same = now(told("b1"), told("c1"), "r1");
        settle(&mut periods, &same, &under("r1", 3));
        settle(&mut periods, &same, &under("r1", 4));
        // Nobody could be reached: nothing is known to have changed.
        settle(&mut periods, &now(Seen::Unknown, Seen::Unknown, "r1"), &BTreeMap::new());
        settle(&mut periods, &same, &under("r1", 1));
        assert_eq!(sums(&periods), [(1, 8, None)]);
    }

    #[test]
    fn each_change_ends_it_with_a_reason_and_counting_begins_anew() {
        let first = now(told("b1"), told("c1"), "r1");
        let cases = [
            (now(told("b2"), told("c1"), "r1"), "the build of the candidate changed from `b1` to `b2`"),
            (now(told("b1"), told("c2"), "r1"), "the code of the fallback changed from `c1` to `c2`"),
            (
                now(Seen::Silent, told("c1"), "r1"),
                "the build of the candidate is not known any more; it was `b1`",
            ),
            (now(told("b1"), told("c1"), "r2"), "the rules or the backends of the route changed"),
        ];
        for (next, reason) in cases {
            let mut periods = Vec::new();
            settle(&mut periods, &first, &under("r1", 3));
            settle(&mut periods, &next, &under("r1", 2));
            assert_eq!(sums(&periods), [(1, 5, Some(reason)), (2, 0, None)]);
            settle(&mut periods, &next, &under(&next.rules, 7));
            assert_eq!(sums(&periods)[1], (2, 7, None));
        }
    }

    #[test]
    fn what_was_counted_under_new_rules_belongs_to_the_new_period() {
        let mut periods = Vec::new();
        settle(&mut periods, &now(told("b"), Seen::Silent, "r1"), &under("r1", 3));
        let mut pending = under("r1", 1);
        pending.extend(under("r2", 5));
        pending.extend(under("r0", 9));
        settle(&mut periods, &now(told("b"), Seen::Silent, "r2"), &pending);
        assert_eq!(
            sums(&periods),
            [(1, 4, Some("the rules or the backends of the route changed")), (2, 5, None)]
        );
    }

    #[test]
    fn an_unknown_program_stays_unknown_and_one_that_becomes_known_ends_what_was_counted() {
        let mut periods = Vec::new();
        settle(&mut periods, &now(Seen::Unknown, Seen::Unknown, "r"), &BTreeMap::new());
        assert_eq!(periods[0].provenance.build, None);
        // Nothing was counted yet: it simply becomes known.
        settle(&mut periods, &now(told("b1"), Seen::Silent, "r"), &BTreeMap::new());
        assert_eq!(periods[0].provenance.build.as_deref(), Some("b1"));
        settle(&mut periods, &now(told("b1"), Seen::Silent, "r"), &under("r", 2));
        settle(&mut periods, &now(told("b1"), told("c1"), "r"), &BTreeMap::new());
        let reason =
            "the code of the fallback is known now, `c1`; what was counted belongs to an unknown one";
        assert_eq!(sums(&periods), [(1, 2, Some(reason)), (2, 0, None)]);
    }

    #[test]
    fn history_and_strata_are_bounded() {
        let mut periods = Vec::new();
        for round in 0..40 {
            settle(&mut periods, &now(told(&format!("b{round}")), Seen::Silent, "r"), &under("r", 1));
        }
        assert_eq!(periods.len(), MOST_PERIODS);
        assert_eq!(periods.last().map(|period| period.number), Some(40));
        let mut counts = Counts::default();
        for role in 0..200 {
            counts.add(["GET", "2xx", &format!("r{role}")], false);
        }
        assert_eq!(counts.strata.len(), MOST_STRATA + 1);
        assert_eq!(counts.sums(), (200, 0));
        assert_eq!(counts.strata["GET 2xx other"], (200 - MOST_STRATA as u64, 0));
    }

    #[test]
    fn a_certificate_shows_bounds_and_what_is_not_settled_yet() {
        let mut periods = Vec::new();
        settle(&mut periods, &now(told("b"), told("c"), "r"), &under("r", 299));
        let mut more = Counts::default();
        more.add(["GET", "4xx", "admin"], false);
        let certificate = periods[0].certificate("item", Some(&more), SelfTest::Passed { at: Utc::now() });
        assert_eq!((certificate.comparisons, certificate.mismatches), (300, 0));
        assert!((certificate.overall_bound - upper_bound(300, 0)).abs() < 1e-12);
        assert!((certificate.worst_bound - 0.95).abs() < 1e-12, "one comparison proves little");
        assert_eq!(certificate.strata.len(), 2);
        assert_eq!(certificate.strata[1].role, "admin");
        assert!(certificate.stands() && certificate.missing().is_empty());
        let document = serde_json::to_string(&periods[0]).unwrap();
        assert_eq!(serde_json::from_str::<Period>(&document).unwrap(), periods[0]);
    }
}
