//! From comparisons to certificates: what a comparison adds, what runs now, and when all of it is settled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::time::sleep;

use super::Shadow;
use super::certificate::Certificate;
use super::compare::{Answer, Design, Verdict};
use super::job::{Job, Purpose};
use super::mask;
use super::period::{Now, Period, Seen};
use super::rules;
use crate::route::Route;

/// How often programs are asked what they are.
const ASK: Duration = Duration::from_secs(5);
/// And how soon after a backend did not answer.
const ASK_SOON: Duration = Duration::from_millis(500);
/// How often what was counted is written.
const WRITE: Duration = Duration::from_secs(2);
/// How often routes that are gone are looked for.
const SWEEP: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(250);
/// Roles of a user that are told apart; longer lists are cut.
const MOST_ROLES: usize = 3;

/// What came of asking the other side.
#[derive(Debug, Clone, Copy)]
pub(super) enum Came {
    Compared(Verdict),
    Unanswered,
    Deferred,
    /// The data changed between the answers.
    Raced,
}

impl Shadow {
    /// The evidence for a route, as of now; `None`: nothing was ever counted for it and it is not shadowed.
    pub fn certificate(&self, route: &str) -> Option<Certificate> {
        self.certificates(route).into_iter().next()
    }

    /// The certificate, and the expired ones before it, newest first.
    pub fn certificates(&self, route: &str) -> Vec<Certificate> {
        let routing = self.live.load();
        let known = routing.table.route(route).filter(|route| route.shadow.is_some());
        let mut all = self.ledger.certificates(route, &self.self_test(route));
        if let Some(known) = known {
            let rules = self.rules_now(known);
            match all.first_mut() {
                // Counting begins anew with the next look; the old one must not count until then.
                Some(last) if last.expired.is_none() && last.provenance.rules != rules => {
                    last.expire("the rules or the backends of the route changed");
                }
                Some(_) => {}
                None => {
                    let period = Period::empty(&self.now(known, rules));
                    all.push(period.certificate(route, None, self.self_test(route)));
                }
            }
        }
        all
    }

    /// Adds requests whose row changes were compared, and how many of them differ.
    pub fn count_rows(&self, route: &Route, compared: u64, different: u64) {
        let rules = self.rules_now(route);
        self.ledger.count(&route.name, &rules, |counts| {
            counts.rows.compared += compared;
            counts.rows.different += different;
        });
    }

    /// Adds a comparison, if it is one between the fallback and the candidate.
    pub(super) fn add_evidence(
        &self,
        job: &Job,
        came: Came,
        reference: Option<&Answer>,
        waited: Option<Duration>,
    ) {
        let route = &job.served.route;
        let other = if job.asks_candidate() { job.target.name() } else { job.served.by.as_str() };
        if other != route.candidate {
            return;
        }
        let design = self.design_of(route);
        let hash = rules::hash(route, design, job.at.date_naive());
        let role = self.role_of(job);
        let status = reference.map(|answer| format!("{}xx", answer.status / 100)).unwrap_or_default();
        let (served, asked) = (job.served.waited, waited);
        let times = if job.asks_candidate() { (served, asked) } else { (asked, served) };
        let replayed = matches!(job.purpose, Purpose::Recording);
        self.ledger.count(&route.name, &hash, |counts| match came {
            Came::Unanswered => counts.uncounted.unanswered += 1,
            Came::Deferred => counts.uncounted.deferred += 1,
            Came::Raced => counts.uncounted.raced += 1,
            Came::Compared(Verdict::Empty) => counts.uncounted.empty += 1,
            Came::Compared(Verdict::Incomparable) => counts.uncounted.incomparable += 1,
            Came::Compared(verdict) => {
                let kind = [job.request.method.as_str(), &status, &role];
                counts.add(kind, verdict == Verdict::Mismatch);
                counts.ignored += u64::from(verdict == Verdict::Ignored);
                counts.replayed += u64::from(replayed);
                times.0.into_iter().for_each(|time| counts.reference.add(time));
                times.1.into_iter().for_each(|time| counts.candidate.add(time));
            }
        });
        if matches!(came, Came::Unanswered) {
            self.wake.notify_one();
        }
    }

    /// `-`: not known. Roles are words of the application; what does not look like one is masked.
    fn role_of(&self, job: &Job) -> String {
        let roles = (self.options.roles.0)(&job.request.asked.cookies, job.at.timestamp());
        let names: BTreeSet<String> = roles.iter().map(|role| mask::name(role).replace(' ', "-")).collect();
        let names: Vec<String> = names.into_iter().take(MOST_ROLES).collect();
        if names.is_empty() { "-".to_owned() } else { names.join("+") }
    }

    fn design_of(&self, route: &Route) -> Design {
        Design::of(self.options.side(&route.fallback), self.options.side(&route.candidate))
    }

    /// The hash of the rules that hold for a route today.
    pub(super) fn rules_now(&self, route: &Route) -> String {
        rules::hash(route, self.design_of(route), Utc::now().date_naive())
    }

    /// Routes whose requests are copied.
    pub(super) fn shadowed(&self) -> Vec<Arc<Route>> {
        let routing = self.live.load();
        let copied = |route: &&Arc<Route>| route.shadow.as_ref().is_some_and(|shadow| shadow.sample > 0.0);
        routing.table.routes().iter().filter(copied).map(Arc::clone).collect()
    }

    /// What runs behind a route now.
    fn now(&self, route: &Route, rules: String) -> Now {
        let candidate = self.abouts.of(&route.candidate).unwrap_or_default();
        let fallback = self.abouts.of(&route.fallback).unwrap_or_default();
        Now {
            build: candidate.program,
            code: fallback.program,
            known_heads: candidate.heads,
            head: (!fallback.heads.is_empty()).then(|| fallback.heads.join("+")),
            rules,
            at: Utc::now(),
        }
    }

    /// Asks what runs, settles what was counted, and shows it as metrics, until the process ends.
    pub(super) async fn keep_evidence(self: Arc<Self>) {
        let mut state = Keeping::default();
        loop {
            self.ask_programs(&mut state).await;
            if state.wrote.is_none_or(|wrote| wrote.elapsed() >= WRITE) || state.news {
                let shadow = Arc::clone(&self);
                let keeping = std::mem::take(&mut state);
                // A task that panicked has said so; what it knew is learned again.
                state = tokio::task::spawn_blocking(move || shadow.write(keeping)).await.unwrap_or_default();
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = self.wake.notified() => state.woken = true,
            }
        }
    }

    async fn ask_programs(&self, state: &mut Keeping) {
        let since = state.asked.map(|asked| asked.elapsed());
        let due = since.is_none_or(|since| since >= ASK || (state.woken && since >= ASK_SOON));
        let routes = self.shadowed();
        let names: BTreeSet<&String> =
            routes.iter().flat_map(|route| [&route.fallback, &route.candidate]).collect();
        for name in names {
            let Some(backend) = self.backends.get(name).filter(|_| due || self.abouts.of(name).is_none())
            else {
                continue;
            };
            let before = self.abouts.of(name);
            self.abouts.ask(backend, self.options.side(name), self.options.channel_secret.0.as_deref()).await;
            state.news |= self.abouts.of(name) != before;
        }
        if due {
            state.asked = Some(Instant::now());
            state.woken = false;
        }
    }

    /// One round; waits for the store.
    fn write(&self, mut state: Keeping) -> Keeping {
        state.wrote = Some(Instant::now());
        state.news = false;
        if !state.loaded {
            state.loaded = self.ledger.load().is_ok();
        }
        for route in self.shadowed() {
            let now = self.now(&route, self.rules_now(&route));
            let facts = (now.build.clone(), now.code.clone(), now.rules.clone(), now.head.clone());
            let settled = state.settled.get(&route.name) == Some(&facts);
            if settled && !self.ledger.is_pending(&route.name) {
                continue;
            }
            match self.ledger.settle(&route.name, &now) {
                Ok(()) => {
                    state.settled.insert(route.name.clone(), facts);
                    state.refused = false;
                }
                Err(error) => {
                    if !std::mem::replace(&mut state.refused, true) {
                        tracing::warn!(error, "evidence cannot be stored; it is kept in memory until it can");
                    }
                    break;
                }
            }
        }
        self.show_certificates();
        if state.swept.is_none_or(|swept| swept.elapsed() >= SWEEP) {
            state.swept = Some(Instant::now());
            let routing = self.live.load();
            self.ledger.sweep(Utc::now() - self.options.keep, |name| routing.table.route(name).is_some());
        }
        state
    }

    fn show_certificates(&self) {
        self.metrics.clear_certificates();
        for route in self.shadowed() {
            if let Some(certificate) = self.certificate(&route.name) {
                let counts = (certificate.comparisons, certificate.mismatches);
                let bounds = (certificate.overall_bound, certificate.worst_bound);
                self.metrics.certificate(&route.name, counts, bounds);
            }
        }
    }

    /// Ends a recording, and writes what is pending, as far as that is possible in this time: the process is about to end.
    pub fn finish(self: &Arc<Self>, patience: Duration) {
        self.recordings.stop("ficus was stopped");
        let (shadow, (done, wait)) = (Arc::clone(self), std::sync::mpsc::channel());
        std::thread::spawn(move || {
            for route in shadow.shadowed().iter().filter(|route| shadow.ledger.is_pending(&route.name)) {
                let _ = shadow.ledger.settle(&route.name, &shadow.now(route, shadow.rules_now(route)));
            }
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(patience);
    }
}

/// What the keeper of evidence remembers from round to round.
#[derive(Debug, Default)]
struct Keeping {
    asked: Option<Instant>,
    wrote: Option<Instant>,
    swept: Option<Instant>,
    loaded: bool,
    woken: bool,
    news: bool,
    refused: bool,
    /// What was true when a route was settled last.
    settled: BTreeMap<String, (Seen, Seen, String, Option<String>)>,
}
