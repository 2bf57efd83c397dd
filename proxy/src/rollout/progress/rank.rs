//! What to move next: a score from 0 to 100, and the reasons for it in words. Pure.
//!
//! The weights are opinions, fixed and documented in docs/how-to/report-progress.md: what is asked often and takes long
//! is worth most; reading is easier to move than writing, and a page for everybody easier than one with a session; what
//! misbehaves, streams or is held comes later.

use serde::Serialize;

use super::facts::{Numbers, Progress, RouteProgress};

/// How often it is asked, beside the route that is asked most; logarithmic.
const CALLS: f64 = 40.0;
/// The time that Python spends on it, beside the route on which it spends most.
const TIME: f64 = 30.0;
/// The share of requests that only read.
const READS: f64 = 15.0;
/// The share of requests without a session.
const ANONYMOUS: f64 = 5.0;
/// What does not speak against it.
const SAFETY: f64 = 10.0;

/// What only the application knows about a route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Why only Flask can answer it.
    pub pinned: Option<String>,
    /// Its answers stream.
    pub streams: bool,
    /// It checks a CSRF token.
    pub csrf: bool,
}

/// A route that could be moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    /// Its name.
    pub name: String,
    /// From 0 to 100, rounded.
    pub score: u32,
    /// Requests that Python answered.
    pub calls: u64,
    /// The same for one day.
    pub calls_per_day: u64,
    /// Mean time, in milliseconds.
    pub mean_ms: f64,
    /// The share of requests that may change something.
    pub writes: f64,
    /// The share of requests with a session.
    pub sessions: f64,
    /// `low`, `medium` or `high`.
    pub risk: &'static str,
    /// Why it stands where it stands.
    pub why: Vec<String>,
}

/// Routes that Python answers and somebody asked, the one to move next first.
pub fn rank(progress: &Progress, known: impl Fn(&RouteProgress) -> Known) -> Vec<Ranked> {
    let all: Vec<(&RouteProgress, Numbers)> =
        progress.routes.iter().map(|route| (route, progress.side(route, false))).collect();
    let most = Most {
        calls: all.iter().map(|(_, numbers)| numbers.calls).max().unwrap_or_default(),
        micros: all.iter().map(|(_, numbers)| numbers.micros).max().unwrap_or_default(),
        total: all.iter().map(|(_, numbers)| numbers.micros).sum(),
        days: progress.watched.max(1),
    };
    let mut ranked: Vec<(f64, Ranked)> = Vec::new();
    for (route, numbers) in &all {
        let known = known(route);
        if route.stage.needs_python() && numbers.calls > 0 && known.pinned.is_none() {
            ranked.push(one(route, numbers, &known, &most));
        }
    }
    ranked.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.name.cmp(&right.name)));
    ranked.into_iter().map(|(_, ranked)| ranked).collect()
}

/// What the numbers of a route are seen beside.
struct Most {
    calls: u64,
    micros: u64,
    total: u64,
    days: u64,
}

fn one(route: &RouteProgress, numbers: &Numbers, known: &Known, most: &Most) -> (f64, Ranked) {
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let busy = (numbers.calls as f64).ln_1p() / (most.calls.max(1) as f64).ln_1p();
    let (writes, sessions) = (share(numbers.writes, numbers.calls), share(numbers.sessions, numbers.calls));
    let (risk, against) = risk(route, numbers, known);
    let score = CALLS * busy
        + TIME * share(numbers.micros, most.micros)
        + READS * (1.0 - writes)
        + ANONYMOUS * (1.0 - sessions)
        + SAFETY * (1.0 - risk);
    let mut why = Vec::new();
    let time = share(numbers.micros, most.total) * 100.0;
    if time >= 1.0 {
        why.push(format!("{time:.0} % of Flask's time"));
    }
    why.push(match writes {
        0.0 => "read-only".to_owned(),
        1.0 => "writes only".to_owned(),
        share => format!("{:.0} % writes", share * 100.0),
    });
    if sessions == 0.0 {
        why.push("no session".to_owned());
    }
    if route.stage != super::Stage::Legacy {
        why.push(format!("in {} already", route.stage.word()));
    }
    why.extend(against);
    let ranked = Ranked {
        name: route.name.clone(),
        score: score.round() as u32,
        calls: numbers.calls,
        calls_per_day: numbers.calls.div_ceil(most.days),
        mean_ms: (share(numbers.micros, numbers.calls) / 100.0).round() / 10.0,
        writes,
        sessions,
        risk: match risk {
            ..0.2 => "low",
            ..0.5 => "medium",
            _ => "high",
        },
        why,
    };
    (score, ranked)
}

/// What speaks against a route, from 0 to 1, and in words.
fn risk(route: &RouteProgress, numbers: &Numbers, known: &Known) -> (f64, Vec<String>) {
    let mut risk = 0.0;
    let mut why = Vec::new();
    let mut against = |weight: f64, words: String| {
        risk += weight;
        why.push(words);
    };
    if route.held {
        match route.incident {
            Some(incident) => against(0.6, format!("rolled back: `ficus incident {incident}`")),
            None => against(0.4, "held".to_owned()),
        }
    }
    if route.mismatches > 0 {
        against(0.4, format!("{} open differences", route.mismatches));
    }
    if numbers.errors * 100 > numbers.calls {
        against(
            0.2,
            format!("{:.0} % errors on Flask", numbers.errors as f64 * 100.0 / numbers.calls as f64),
        );
    }
    if known.streams {
        against(0.5, "streams".to_owned());
    }
    if known.csrf {
        against(0.1, "checks a CSRF token".to_owned());
    }
    if numbers.writes > 0 {
        risk += 0.1;
    }
    (f64::min(risk, 1.0), why)
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use super::super::Stage;
    use super::*;
    use crate::store::Sums;

    /// A route that Flask answered so often.
    pub(in super::super) fn route(name: &str, stage: Stage, numbers: Numbers) -> RouteProgress {
        RouteProgress {
            name: name.to_owned(),
            endpoint: name.to_owned(),
            rules: vec![format!("/{name}")],
            methods: vec!["GET".to_owned()],
            stage,
            standing: stage.word().to_owned(),
            candidate: "rust".to_owned(),
            fallback: "legacy".to_owned(),
            changed_at: None,
            held: false,
            incident: None,
            mismatches: 0,
            by_backend: BTreeMap::from([("legacy".to_owned(), numbers)]),
        }
    }

    pub(in super::super) fn progress(routes: Vec<RouteProgress>) -> Progress {
        Progress {
            revision: 7,
            days: 30,
            fleet: None,
            since: "2026-10-01".parse().ok(),
            watched: 30,
            today: "2026-11-25".parse().unwrap(),
            rust: ["rust".to_owned()].into(),
            routes,
            unmatched: BTreeMap::new(),
        }
    }

    fn numbers(calls: u64, ms: u64) -> Numbers {
        Numbers { sums: Sums { calls, micros: calls * ms * 1_000, ..Sums::default() }, last_at: None }
    }

    #[test]
    fn what_is_asked_most_and_takes_longest_comes_first() {
        let mut writes = route("writes", Stage::Legacy, numbers(3_000, 50));
        writes.by_backend.get_mut("legacy").unwrap().sums.writes = 3_000;
        let routes = vec![
            route("seldom", Stage::Legacy, numbers(30, 50)),
            writes,
            route("often", Stage::Legacy, numbers(30_000, 50)),
            route("reads", Stage::Shadow, numbers(3_000, 50)),
            route("moved", Stage::Rust, numbers(90_000, 1)),
            route("unused", Stage::Legacy, numbers(0, 0)),
        ];
        let ranked = rank(&progress(routes), |_| Known::default());
        let names: Vec<&str> = ranked.iter().map(|ranked| ranked.name.as_str()).collect();
        assert_eq!(names, ["often", "reads", "writes", "seldom"]);
        assert_eq!(ranked[0].calls_per_day, 1_000);
        assert_eq!(ranked[0].why, ["79 % of Flask's time", "read-only", "no session"]);
        assert_eq!(ranked[1].why, ["8 % of Flask's time", "read-only", "no session", "in shadow already"]);
        assert!(ranked[2].why.contains(&"writes only".to_owned()));
        assert!(ranked.iter().all(|ranked| ranked.score <= 100), "{ranked:?}");
    }

    #[test]
    fn risk_is_told_in_words_and_pinned_routes_are_left_out() {
        let mut held = route("held", Stage::Legacy, numbers(100, 10));
        (held.held, held.incident, held.mismatches) = (true, Some(3), 2);
        let routes = vec![
            held,
            route("export", Stage::Legacy, numbers(100, 10)),
            route("redirect", Stage::Legacy, numbers(1, 1)),
        ];
        let known = |route: &RouteProgress| Known {
            streams: route.name == "export",
            pinned: (route.name == "redirect").then(|| "redirect".to_owned()),
            csrf: false,
        };
        let ranked = rank(&progress(routes), known);
        assert_eq!(
            ranked.iter().map(|r| (r.name.as_str(), r.risk)).collect::<Vec<_>>(),
            [("export", "high"), ("held", "high")]
        );
        assert!(ranked[0].why.contains(&"streams".to_owned()));
        assert!(ranked[1].why.contains(&"rolled back: `ficus incident 3`".to_owned()));
        assert!(ranked[1].why.contains(&"2 open differences".to_owned()));
    }
}
