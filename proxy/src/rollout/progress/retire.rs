//! Whether traffic still needs a Python view: one condition and one sentence for each thing that must hold. Pure. What the
//! source says about the view is checked beside this, by the command.

use chrono::{DateTime, Days, Utc};
use serde::Serialize;

use super::facts::{Numbers, Progress, RouteProgress, Stage};
use super::tellers::Tellers;

/// Something that must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// A word for it.
    pub name: &'static str,
    /// Whether it holds.
    pub met: bool,
    /// What holds, or what is missing, in one sentence.
    pub sentence: String,
}

impl Condition {
    /// One that holds if `missing` has nothing to say.
    pub fn new(name: &'static str, good: String, missing: Option<String>) -> Self {
        Self { name, met: missing.is_none(), sentence: missing.unwrap_or(good) }
    }
}

/// What traffic says about the routes of one endpoint, of which there is at least one.
pub fn conditions(progress: &Progress, routes: &[&RouteProgress], now: DateTime<Utc>) -> Vec<Condition> {
    let (days, counter) = (days(progress.days), progress.counter());
    let mut all = vec![
        Condition::new("served", "rust answers everybody".to_owned(), not_served(routes)),
        Condition::new("since", format!("it has stood so for {days}"), too_new(progress, routes, now)),
        Condition::new(
            "watched",
            format!("{counter} has counted requests for {days}"),
            not_watched(progress),
        ),
        Condition::new(
            "calls",
            format!("Python was asked by nobody in {days}"),
            found(progress, routes, "was answered by Python", |numbers| {
                numbers.calls.saturating_sub(numbers.fallbacks)
            }),
        ),
        Condition::new(
            "fallbacks",
            format!("Python stepped in for nobody in {days}"),
            found(progress, routes, "fell back to Python", |numbers| {
                numbers.fallbacks.saturating_sub(numbers.defers)
            }),
        ),
        Condition::new(
            "defers",
            format!("the handler handed nothing back in {days}"),
            found(progress, routes, "was handed back by the handler", |numbers| numbers.defers),
        ),
    ];
    all.extend(progress.fleet.as_ref().map(|fleet| {
        let names = format!("the requests of every node are counted: {}", fleet.names());
        Condition::new("nodes", names, unseen(fleet, progress.days))
    }));
    all
}

fn unseen(fleet: &Tellers, days: u64) -> Option<String> {
    let unseen = fleet.unseen(days);
    let help = if fleet.error.is_some() {
        ""
    } else {
        "; bring it back, or say `--without-node NAME` if nobody is sent there"
    };
    (!unseen.is_empty()).then(|| format!("{}{help}", unseen.join(", ")))
}

fn days(number: u64) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
}

fn not_served(routes: &[&RouteProgress]) -> Option<String> {
    let left: Vec<String> = routes
        .iter()
        .filter(|route| !matches!(route.stage, Stage::Rust | Stage::Retired))
        .map(|route| format!("`{}` is answered by {}", route.name, route.standing))
        .collect();
    (!left.is_empty()).then(|| format!("{}; flip it to rust first", left.join(", ")))
}

fn too_new(progress: &Progress, routes: &[&RouteProgress], now: DateTime<Utc>) -> Option<String> {
    let newest = routes.iter().filter_map(|route| Some((route.changed_at?, &route.name))).max()?;
    let since = now.checked_sub_days(Days::new(progress.days))?;
    let (changed, name) = newest;
    (changed > since).then(|| {
        let stood = (now - changed).num_days().max(0);
        format!("`{name}` was last changed on {}: {stood} of {} days", changed.format("%F"), progress.days)
    })
}

fn not_watched(progress: &Progress) -> Option<String> {
    if progress.goes_back() {
        return None;
    }
    let counter = progress.counter();
    Some(match progress.since {
        Some(since) => {
            let days = (progress.today - since).num_days() + 1;
            format!("{counter} counts since {since}: {days} of {} days", progress.days)
        }
        None => format!("{counter} has not counted anything yet"),
    })
}

fn found(
    progress: &Progress,
    routes: &[&RouteProgress],
    what: &str,
    count: impl Fn(&Numbers) -> u64,
) -> Option<String> {
    let sides = routes.iter().map(|route| (route, progress.side(route, false)));
    let found: Vec<String> = sides
        .filter(|(_, numbers)| count(numbers) > 0)
        .map(|(route, numbers)| {
            let last = numbers
                .last_at
                .map(|at| format!(", the last request on {}", at.format("%F")))
                .unwrap_or_default();
            format!("`{}` {what} {} times in {}{last}", route.name, count(&numbers), days(progress.days))
        })
        .collect();
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::rank::tests::{progress, route};
    use super::*;
    use crate::store::{Sums, Teller};

    fn now() -> DateTime<Utc> {
        "2026-11-25T12:00:00Z".parse().unwrap()
    }

    fn missing(progress: &Progress) -> Vec<(&'static str, String)> {
        let routes: Vec<&RouteProgress> = progress.routes.iter().collect();
        let conditions = conditions(progress, &routes, now());
        conditions.into_iter().filter(|c| !c.met).map(|c| (c.name, c.sentence)).collect()
    }

    #[test]
    fn a_view_that_nobody_needs_has_nothing_missing() {
        let mut moved = route("a", Stage::Rust, Numbers::default());
        moved.changed_at = Some("2026-10-01T00:00:00Z".parse().unwrap());
        assert_eq!(missing(&progress(vec![moved])), []);
    }

    #[test]
    fn each_condition_says_what_is_missing() {
        let at = |text: &str| Some(text.parse().unwrap());
        let sums = Sums { calls: 10, fallbacks: 5, defers: 3, ..Sums::default() };
        let numbers = Numbers { sums, last_at: at("2026-11-24T01:00:00Z") };
        let mut canary = route("a", Stage::Canary, numbers);
        canary.standing = "legacy, 5% rust".to_owned();
        canary.changed_at = at("2026-11-20T00:00:00Z");
        let mut progress = progress(vec![canary]);
        progress.since = "2026-11-22".parse().ok();
        let expected = [
            ("served", "`a` is answered by legacy, 5% rust; flip it to rust first"),
            ("since", "`a` was last changed on 2026-11-20: 5 of 30 days"),
            ("watched", "this node counts since 2026-11-22: 4 of 30 days"),
            ("calls", "`a` was answered by Python 5 times in 30 days, the last request on 2026-11-24"),
            ("fallbacks", "`a` fell back to Python 2 times in 30 days, the last request on 2026-11-24"),
            (
                "defers",
                "`a` was handed back by the handler 3 times in 30 days, the last request on 2026-11-24",
            ),
        ];
        assert_eq!(missing(&progress), expected.map(|(name, text)| (name, text.to_owned())));
    }

    #[test]
    fn a_node_of_which_nothing_is_known_is_a_condition() {
        let node = |name: &str, told_ms| Teller { name: name.to_owned(), told_ms, heard_ms: Some(1_000) };
        let mut moved = route("a", Stage::Rust, Numbers::default());
        moved.changed_at = Some("2026-10-01T00:00:00Z".parse().unwrap());
        let mut progress = progress(vec![moved]);
        let nodes = vec![node("web1", Some(1_000)), node("web2", Some(7_200_000))];
        progress.fleet = Some(Tellers { nodes, error: None });
        let sentence = "`web2` told of its requests 2 h ago; bring it back, or say `--without-node NAME` if nobody is sent \
                        there";
        assert_eq!(missing(&progress), [("nodes", sentence.to_owned())]);
        progress.fleet.as_mut().unwrap().leave_out("web2");
        assert_eq!(missing(&progress), []);
    }

    #[test]
    fn all_routes_of_an_endpoint_count() {
        let routes = vec![
            route("a.get", Stage::Rust, Numbers::default()),
            route(
                "a.post",
                Stage::Legacy,
                Numbers { sums: Sums { calls: 1, ..Sums::default() }, last_at: None },
            ),
        ];
        let missing: Vec<_> = missing(&progress(routes)).into_iter().map(|(name, _)| name).collect();
        assert_eq!(missing, ["served", "calls"]);
    }
}
