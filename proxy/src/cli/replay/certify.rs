//! A replay's tallies on their way into certificates: `ficus replay --certify`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Replay, Step};
use crate::cli::client::{Client, query};
use crate::cli::exit::Exit;
use crate::route::Table;
use crate::shadow::compare::Verdict;
use crate::shadow::corpus::{Manifest, Session};
use crate::shadow::{ReplayedRoute, ReplayedStratum, rules_hash};

/// What is needed to count.
pub(super) struct Certifier<'a> {
    client: Client,
    table: &'a Table,
    manifest: Manifest,
    /// What the candidates of the routes said they are, before they were asked.
    builds: BTreeMap<String, Option<String>>,
}

impl<'a> Certifier<'a> {
    /// Asks the running ficus what is to be certified.
    pub(super) fn begin(
        client: Client,
        (table, folder): (Option<&'a Table>, &Path),
        sessions: &[Session],
    ) -> Result<Self, Exit> {
        let manifest = Manifest::read(folder).map_err(Exit::failed)?.ok_or_else(|| {
            Exit::failed(
                "only what `ficus record` has recorded counts: nobody knows of which program the answers of other corpora are",
            )
        })?;
        let table = table.ok_or_else(|| Exit::failed("without a routing file nobody knows the routes"))?;
        let names: BTreeSet<&str> = sessions
            .iter()
            .flat_map(|session| &session.exchanges)
            .filter_map(|one| one.route.as_deref())
            .collect();
        let mut builds = BTreeMap::new();
        for name in names {
            if table.route(name).is_none() {
                continue;
            }
            let answer =
                client.get(&format!("/v1/certificate{}", query(&[("route", Some(name.to_owned()))])))?;
            let build = answer["certificate"]["provenance"]["build"].as_str().map(str::to_owned);
            builds.insert(name.to_owned(), build);
        }
        Ok(Self { client, table, manifest, builds })
    }

    /// Tells what came of it; what counted and what did not.
    pub(super) fn tell(&self, replay: &Replay<'_>, steps: &[Step]) -> Result<Value, Exit> {
        let mut routes: BTreeMap<(&str, &str), ReplayedRoute> = BTreeMap::new();
        for step in steps.iter().filter(|step| step.compared) {
            let Some(name) = step.route.as_deref().filter(|name| self.builds.contains_key(*name)) else {
                continue;
            };
            let tally = routes.entry((name, &step.session)).or_insert_with(|| self.empty(replay, name, step));
            add(tally, step);
        }
        let routes: Vec<ReplayedRoute> = routes.into_values().collect();
        self.client.post("/v1/replayed", &json!({ "routes": routes }))
    }

    fn empty(&self, replay: &Replay<'_>, name: &str, step: &Step) -> ReplayedRoute {
        let reference = step.served.clone().unwrap_or_default();
        let today = chrono::Utc::now().date_naive();
        let rules = self.table.route(name).map(|route| rules_hash(route, replay.design, today));
        ReplayedRoute {
            route: name.to_owned(),
            session: self.session(&step.session),
            code: self.manifest.programs.get(&reference).cloned(),
            reference,
            asked: step.answered_by.clone().unwrap_or_default(),
            build: self.builds.get(name).cloned().flatten(),
            rules: rules.unwrap_or_default(),
            ..ReplayedRoute::default()
        }
    }

    /// The same session of the same recording is the same word, whoever replays it.
    fn session(&self, name: &str) -> String {
        let mut hash = Sha256::new();
        hash.update(self.manifest.started.to_rfc3339().as_bytes());
        hash.update(self.manifest.key.as_bytes());
        hash.update(name.as_bytes());
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn add(tally: &mut ReplayedRoute, step: &Step) {
    let other = |name: &Option<String>, known: &str| name.as_deref().unwrap_or_default() != known;
    if other(&step.served, &tally.reference) || other(&step.answered_by, &tally.asked) {
        // Somebody else's answer says nothing about these two.
        tally.uncounted.incomparable += 1;
        return;
    }
    let uncounted = &mut tally.uncounted;
    let verdict = match &step.result {
        Err(_) if step.deferred => return uncounted.deferred += 1,
        Err(_) => return uncounted.unanswered += 1,
        Ok(comparison) => comparison.verdict,
    };
    match verdict {
        Verdict::Empty => uncounted.empty += 1,
        Verdict::Incomparable => uncounted.incomparable += 1,
        Verdict::Match | Verdict::Ignored | Verdict::Mismatch => {
            let status = format!("{}xx", step.status / 100);
            let same = |one: &&mut ReplayedStratum| one.method == step.method && one.status == status;
            let wrong = u64::from(verdict == Verdict::Mismatch);
            match tally.strata.iter_mut().find(same) {
                Some(one) => {
                    one.n += 1;
                    one.k += wrong;
                }
                None => {
                    tally.strata.push(ReplayedStratum { method: step.method.clone(), status, n: 1, k: wrong })
                }
            }
            tally.ignored += u64::from(verdict == Verdict::Ignored);
        }
    }
}

/// What counted, route by route, for people.
pub(super) fn text(answer: &Value) -> String {
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for one in answer["counted"].as_array().into_iter().flatten() {
        *counted.entry(one["route"].as_str().unwrap_or_default()).or_default() +=
            one["comparisons"].as_u64().unwrap_or_default();
    }
    let mut refused: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for one in answer["refused"].as_array().into_iter().flatten() {
        let key = (one["route"].as_str().unwrap_or_default(), one["why"].as_str().unwrap_or_default());
        *refused.entry(key).or_default() += 1;
    }
    let mut text = String::new();
    for (route, comparisons) in counted {
        text.push_str(&format!("{route}: {comparisons} comparisons count toward its certificate\n"));
    }
    for ((route, why), sessions) in refused {
        let of = if sessions > 1 { format!(" ({sessions} sessions)") } else { String::new() };
        text.push_str(&format!("{route}: not counted{of}: {why}\n"));
    }
    text
}
