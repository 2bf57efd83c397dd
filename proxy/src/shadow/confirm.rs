//! Is a difference real, or did the data change between the two answers? The sides are asked again, in turn, a few times.
//!
//! The answers stand in a row: served, other, served, other, ... Two answers of one side that agree, around another one
//! of the other side: nothing had changed, so the difference is real, and once is enough. Two neighbours that agree:
//! the data had changed, and nobody was wrong; this is called `raced`. So it is called, too, if no single difference
//! was there every time. It costs the served side requests that nobody waits for, so it is bounded for each route, for
//! safe methods only, marked as copies, and counted.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::Shadow;
use super::compare::{Answer, Case, Comparison, Design, Verdict};
use super::job::Job;
use super::replay::{To, ask};
use super::worker::is_deferred;

/// Most requests for one difference.
const MOST: usize = 6;

/// What asking again has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// One side stayed as it was, and the other differs.
    Real,
    /// The data changed; the sides agree, or differ in something else every time.
    Raced,
    /// The data went on changing, and a difference was there every time; or an answer did not come.
    Unsettled,
    /// Nobody was asked: too many differences on this route, or the method is not safe.
    NotAsked,
}

impl Again {
    /// A stable word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::Raced => "raced",
            Self::Unsettled => "unsettled",
            Self::NotAsked => "not_asked",
        }
    }
}

impl Shadow {
    /// Asks again after `answer` differed from what was served.
    pub(super) async fn confirm(&self, job: &Job, answer: &Answer, first: &Comparison) -> Again {
        let route = &job.served.route.name;
        if !job.request.method.is_safe() || !self.allowance.take(route, Instant::now()) {
            return Again::NotAsked;
        }
        let (mut of_this_side, mut neighbour) = (job.answer.clone(), answer.clone());
        let mut stayed = places(first);
        for turn in 0..MOST {
            let target = if turn % 2 == 0 { &job.served.backend } else { &job.target };
            let bounds = (self.options.body_bytes, self.options.timeout);
            let next = ask(To::Backend(target), &job.request_to(target), bounds).await;
            let Some((next, _)) = next.filter(|(next, _)| !is_deferred(next)) else {
                return Again::Unsettled;
            };
            if self.agree(job, target.name(), (&of_this_side, &next)) {
                return Again::Real;
            }
            let pair = if turn % 2 == 0 { (&next, &neighbour) } else { (&neighbour, &next) };
            let comparison = self.compare(job, pair);
            let also = places(&comparison);
            stayed.retain(|place| also.contains(place));
            if is_agreement(comparison.verdict) || (stayed.is_empty() && comparison.more == 0) {
                return Again::Raced;
            }
            of_this_side = std::mem::replace(&mut neighbour, next);
        }
        Again::Unsettled
    }

    /// Whether two answers of one side mean the same.
    fn agree(&self, job: &Job, backend: &str, answers: (&Answer, &Answer)) -> bool {
        let side = self.options.side(backend);
        let case = Case {
            asked: &job.request.asked,
            reference: answers.0,
            candidate: answers.1,
            design: Design::of(side, side),
            rules: job.rules(),
            now: job.at,
        };
        is_agreement(self.judge.compare(&case).verdict)
    }
}

/// Where two answers differ, and how.
fn places(comparison: &Comparison) -> BTreeSet<String> {
    let place = |difference: &super::compare::Difference| {
        format!("{} {}", difference.path.text(), difference.kind.word())
    };
    comparison.differences.iter().map(place).collect()
}

fn is_agreement(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Match | Verdict::Ignored | Verdict::Empty)
}

/// How many differences of each route are asked about: so many a minute.
#[derive(Debug)]
pub(super) struct Allowance {
    per_minute: u32,
    routes: Mutex<HashMap<Arc<str>, (f64, Instant)>>,
}

impl Allowance {
    /// So many a minute and route; 0 is none.
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, routes: Mutex::default() }
    }

    /// Takes one, if there is one left.
    fn take(&self, route: &str, now: Instant) -> bool {
        let full = f64::from(self.per_minute);
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        if !routes.contains_key(route) {
            routes.insert(Arc::from(route), (full, now));
        }
        let Some((left, since)) = routes.get_mut(route) else { return false };
        let passed = now.saturating_duration_since(*since).as_secs_f64();
        *left = (*left + passed * full / 60.0).min(full);
        *since = now;
        let taken = *left >= 1.0;
        if taken {
            *left -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_allowance_is_spent_and_comes_back() {
        let allowance = Allowance::new(6);
        let start = Instant::now();
        assert_eq!((0..10).filter(|_| allowance.take("a", start)).count(), 6);
        assert!(allowance.take("b", start), "each route has its own");
        assert!(!allowance.take("a", start + Duration::from_secs(9)));
        assert!(allowance.take("a", start + Duration::from_secs(11)));
        let later = start + Duration::from_secs(3_600);
        assert_eq!((0..10).filter(|_| allowance.take("a", later)).count(), 6, "it does not pile up");
        assert!(!Allowance::new(0).take("a", start));
    }
}
