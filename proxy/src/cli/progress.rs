//! `ficus progress`: how far the migration is, what to move next, what nobody asks for, what stands in the way.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::json;

use crate::census::{Census, RouteFacts};
use crate::rollout::progress::{Known, Numbers, Progress, Ranked, RouteProgress, Stage, rank};

use super::Done;
use super::application::Application;
use super::arguments::Common;
use super::client::{Client, query};
use super::exit::Exit;
use super::report::{self, Section, grouped, percent};
use super::screen;

/// `progress`.
#[derive(Debug, Args)]
#[command(after_help = "\
Requests are those that this node counted, day by day in UTC; in a fleet those of all nodes. With --flask the application is asked as well: what streams, \
what only its own converters understand, what Flask's map answers by itself.

Examples:
  ficus progress
  ficus progress --days 7 --top 3
  ficus progress --flask crm:create_app --format md > progress.md")]
pub(super) struct Flags {
    /// Look at so many days, today included
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u64,
    /// How many routes to name as the next ones
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Text for a terminal, or Markdown to be pasted
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Ask this Flask application or factory too: `wsgi:app`, `crm:create_app`
    #[arg(long, value_name = "MODULE[:NAME]")]
    flask: Option<String>,
    /// Its Python, which needs legacy-shim [default: as for `ficus census`]
    #[arg(long, value_name = "PATH", requires = "flask")]
    python: Option<PathBuf>,
    /// The directory that it is started in [default: .]
    #[arg(long, value_name = "PATH", requires = "flask")]
    dir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For a terminal
    Text,
    /// Markdown
    Md,
}

/// Something that keeps a route, or a rule, on Flask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Blocker {
    route: String,
    because: String,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let progress = ask(common, flags.days)?;
    let census = flags.flask.as_ref().map(|flask| {
        let dir = flags.dir.clone().unwrap_or_else(|| PathBuf::from("."));
        Application { flask: flask.clone(), python: flags.python.clone(), dir }.interpreter().census()
    });
    let census = census.transpose()?;
    let ranked = rank(&progress, |route| known(census.as_ref(), route));
    let blockers = blockers(&progress, census.as_ref());
    let unused: Vec<&RouteProgress> =
        progress.routes.iter().filter(|route| unused(&progress, route)).collect();
    if common.json {
        let unused: Vec<&str> = unused.iter().map(|route| route.name.as_str()).collect();
        let asked = census.as_ref().map(|census| &census.app.target);
        screen::print_json(&json!({
            "schema": 1, "app": asked, "progress": progress, "next": ranked, "unused": unused, "blockers": blockers,
        }));
        return Ok(());
    }
    let sections = [
        summary(&progress),
        stages(&progress),
        next(&ranked, flags.top),
        nobody(&progress, &unused),
        in_the_way(&blockers, census.is_some()),
    ];
    screen::print(&match flags.format {
        Format::Text => report::text(&sections),
        Format::Md => report::markdown(&sections),
    });
    Ok(())
}

/// What the running ficus knows.
pub(super) fn ask(common: &Common, days: u64) -> Result<Progress, Exit> {
    let query = query(&[("days", Some(days.to_string()))]);
    let mut answer = Client::new(common).get(&format!("/v1/progress{query}"))?;
    serde_json::from_value(answer["progress"].take())
        .map_err(|error| Exit::failed(format!("the running ficus reports in another way: {error}")))
}

fn facts<'c>(census: Option<&'c Census>, route: &RouteProgress) -> Option<&'c RouteFacts> {
    census?.routes.iter().find(|facts| facts.name == route.name || facts.name == route.endpoint)
}

fn known(census: Option<&Census>, route: &RouteProgress) -> Known {
    let Some(facts) = facts(census, route) else { return Known::default() };
    Known {
        pinned: pinned(facts).map(str::to_owned),
        streams: streams(facts),
        csrf: facts.csrf.as_ref().is_some_and(|csrf| csrf.starts_with("checked")),
    }
}

/// Why Flask alone can answer.
fn pinned(facts: &RouteFacts) -> Option<&'static str> {
    match facts.kind.as_str() {
        "view" | "converter" => None,
        "redirect" => Some("Flask's map redirects by itself; there is no view to move"),
        "alias" => Some("an alias: Flask's map redirects to the endpoint's own rule"),
        "websocket" => Some("a WebSocket rule, which only Flask's map knows"),
        _ => Some("only Flask's map answers it"),
    }
}

fn streams(facts: &RouteFacts) -> bool {
    facts.streaming.as_ref().is_some_and(|text| text.starts_with("yes") && !text.contains("files"))
}

fn blockers(progress: &Progress, census: Option<&Census>) -> Vec<Blocker> {
    let mut found = Vec::new();
    let mut add = |route: &str, because: String| found.push(Blocker { route: route.to_owned(), because });
    for route in progress.routes.iter().filter(|route| route.stage.needs_python()) {
        match (route.held, route.incident) {
            (true, Some(id)) => add(&route.name, format!("rolled back by its guard: `ficus incident {id}`")),
            (true, None) => add(&route.name, format!("held: `ficus resume {}` ends it", route.name)),
            (false, _) => {}
        }
        if route.mismatches > 0 {
            let differences = if route.mismatches == 1 { "difference" } else { "differences" };
            add(
                &route.name,
                format!("{} open {differences}: `ficus diffs {}`", route.mismatches, route.name),
            );
        }
        let Some(facts) = facts(census, route) else { continue };
        if let Some(because) = pinned(facts) {
            add(&route.name, because.to_owned());
        }
        if facts.kind == "converter" {
            add(&route.name, "a converter of the application's own makes its values, in Python".to_owned());
        }
        if streams(facts) {
            add(&route.name, "streams its answer: it cannot be compared as a whole".to_owned());
        }
    }
    for rule in census.into_iter().flat_map(|census| &census.rules) {
        if rule.kind == "unknown converter" {
            add(
                &rule.endpoint,
                format!("`{}` has a converter that only Python can run: no route", rule.rule),
            );
        }
    }
    found
}

/// Nobody asked for it, on either side.
fn unused(progress: &Progress, route: &RouteProgress) -> bool {
    let calls = progress.side(route, false).calls + progress.side(route, true).calls;
    calls == 0 && route.stage != Stage::Retired
}

fn summary(progress: &Progress) -> Section {
    let counted =
        |stages: &[Stage]| progress.routes.iter().filter(|r| stages.contains(&r.stage)).count() as u64;
    let moved = counted(&[Stage::Rust, Stage::Retired]);
    let all = progress.routes.len() as u64;
    let mut rust = 0;
    let mut whole = 0;
    for route in &progress.routes {
        let (python, moved) = (progress.side(route, false).calls, progress.side(route, true).calls);
        rust += moved;
        whole += python + moved;
    }
    let unmatched =
        progress.sum(&progress.unmatched, false).calls + progress.sum(&progress.unmatched, true).calls;
    rust += progress.sum(&progress.unmatched, true).calls;
    whole += unmatched;
    let bar = |part: u64, whole: u64| {
        let filled = (part * 30).checked_div(whole).and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        format!("[{}{}]", "#".repeat(filled), ".".repeat(30 - filled))
    };
    let mut sentences = vec![
        format!(
            "routes    {} {} of {} answered by Rust ({})",
            bar(moved, all),
            moved,
            all,
            percent(moved, all)
        ),
        format!(
            "requests  {} {} of {} answered by Rust ({})",
            bar(rust, whole),
            grouped(rust),
            grouped(whole),
            percent(rust, whole)
        ),
        counted_for(progress),
    ];
    sentences.extend(progress.fleet.iter().flat_map(|fleet| fleet.unseen(progress.days)));
    if unmatched > 0 {
        sentences.push(format!("{} of them matched no route", grouped(unmatched)));
    }
    Section { sentences, ..Section::default() }
}

/// How much the numbers are worth.
fn counted_for(progress: &Progress) -> String {
    let days =
        if progress.days == 1 { "today".to_owned() } else { format!("in the last {} days", progress.days) };
    let counter = match &progress.fleet {
        Some(fleet) if fleet.error.is_none() => format!("the fleet ({})", fleet.names()),
        _ => "this node".to_owned(),
    };
    match progress.since {
        Some(since) if !progress.goes_back() => {
            format!("counted by {counter} {days}; it counts since {since} only")
        }
        _ => format!("counted by {counter} {days}, on {} of them", progress.watched),
    }
}

fn stages(progress: &Progress) -> Section {
    let mut rows = Vec::new();
    for stage in Stage::ALL {
        let routes: Vec<&RouteProgress> =
            progress.routes.iter().filter(|route| route.stage == stage).collect();
        if routes.is_empty() {
            continue;
        }
        let sum = |rust: bool| routes.iter().map(|route| progress.side(route, rust).calls).sum::<u64>();
        let fallbacks: u64 = routes.iter().map(|route| progress.side(route, false).fallbacks).sum();
        let (python, rust) = (sum(false), sum(true));
        rows.push(vec![
            stage.word().to_owned(),
            routes.len().to_string(),
            grouped(python + rust),
            percent(rust, python + rust),
            grouped(fallbacks),
        ]);
    }
    let header = vec!["STAGE", "ROUTES", "REQUESTS", "BY RUST", "FALLBACKS"];
    Section { title: "Stages".to_owned(), header, rows, ..Section::default() }
}

fn next(ranked: &[Ranked], top: usize) -> Section {
    let share = |share: f64| format!("{:.0} %", share * 100.0);
    let row = |ranked: &Ranked| {
        vec![
            ranked.name.clone(),
            ranked.score.to_string(),
            grouped(ranked.calls_per_day),
            format!("{:.1} ms", ranked.mean_ms),
            share(ranked.writes),
            share(ranked.sessions),
            ranked.risk.to_owned(),
            ranked.why.join("; "),
        ]
    };
    let mut section = Section {
        title: "What to move next".to_owned(),
        header: vec!["ROUTE", "SCORE", "CALLS/DAY", "MEAN", "WRITES", "SESSIONS", "RISK", "WHY"],
        rows: ranked.iter().take(top).map(row).collect(),
        ..Section::default()
    };
    if ranked.is_empty() {
        section.sentences.push("Flask answered no route that could be moved".to_owned());
    } else if ranked.len() > top {
        section.notes.push(format!("and {} more", ranked.len() - top));
    }
    section
}

fn nobody(progress: &Progress, unused: &[&RouteProgress]) -> Section {
    let last = |route: &RouteProgress| {
        let numbers: Vec<&Numbers> = route.by_backend.values().collect();
        let at = numbers.iter().filter_map(|numbers| numbers.last_at).max();
        at.map_or("never seen".to_owned(), |at| at.format("%F").to_string())
    };
    let row = |route: &&RouteProgress| {
        vec![route.name.clone(), route.stage.word().to_owned(), route.rules.join(" "), last(route)]
    };
    let mut section = Section {
        title: match progress.days {
            1 => "What nobody called today".to_owned(),
            days => format!("What nobody called for {days} days"),
        },
        header: vec!["ROUTE", "STAGE", "RULE", "LAST CALL"],
        rows: unused.iter().map(row).collect(),
        ..Section::default()
    };
    if unused.is_empty() {
        section.sentences.push("every route was called".to_owned());
    } else if !progress.goes_back() {
        section
            .notes
            .push(format!("too early to tell: {} has not counted for that long", progress.counter()));
    }
    section
}

fn in_the_way(blockers: &[Blocker], asked: bool) -> Section {
    let mut section = Section {
        title: "What stands in the way".to_owned(),
        header: vec!["ROUTE", "BECAUSE"],
        rows: blockers.iter().map(|blocker| vec![blocker.route.clone(), blocker.because.clone()]).collect(),
        ..Section::default()
    };
    if blockers.is_empty() {
        section.sentences.push("nothing that is known here".to_owned());
    }
    if !asked {
        section.notes.push("the application was not asked: `--flask MODULE:NAME` does".to_owned());
    }
    section
}
