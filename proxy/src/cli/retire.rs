//! `ficus retire`: whether anything still needs the Python view of a route, and which lines would go with it. Nothing is
//! ever written.

use chrono::Utc;
use clap::Args;
use serde_json::json;

use crate::census::{Needs, Reference};
use crate::diagnostic::nearest;
use crate::rollout::progress::{Condition, Progress, RouteProgress, Stage, conditions};

use super::Done;
use super::application::Application;
use super::arguments::Common;
use super::exit::Exit;
use super::progress::ask;
use super::report::{self, Section};
use super::screen;

/// Places that are named in a sentence; the rest is counted.
const NAMED: usize = 3;

/// `retire`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exits with 3 while a condition is missing. Python is never edited. A name that only a run can tell, such as in \
url_for(variable), and a file that cannot be read are conditions that a person meets: look at the places, then say --reviewed.

Examples:
  ficus retire customers.list --flask crm:create_app
  ficus retire customers.list --flask wsgi:app --days 90 --keep-rule
  ficus retire customers.edit.post --flask wsgi:app --reviewed --json")]
pub(super) struct Flags {
    /// The route
    route: String,
    #[command(flatten)]
    application: Application,
    /// It must have stood so for so many days
    #[arg(long, value_name = "N", default_value_t = 30)]
    days: u64,
    /// The rule stays, as `build_only`: places that only build its URL count no more
    #[arg(long)]
    keep_rule: bool,
    /// Somebody looked at the places that a scan cannot read
    #[arg(long)]
    reviewed: bool,
    /// Nobody is sent to this node of the fleet: what it did not tell is no matter; may be given again
    #[arg(long, value_name = "NAME")]
    without_node: Vec<String>,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let mut progress = ask(common, flags.days)?;
    for name in &flags.without_node {
        if !progress.fleet.as_mut().is_some_and(|fleet| fleet.leave_out(name)) {
            return Err(Exit::failed(format!("there is no node `{name}`: `ficus fleet` lists them")));
        }
    }
    let route = find(&progress, &flags.route)?;
    let needs = flags.application.interpreter().needs(&route.endpoint)?;
    let routes: Vec<&RouteProgress> =
        progress.routes.iter().filter(|other| other.endpoint == route.endpoint).collect();
    let mut all = conditions(&progress, &routes, Utc::now());
    all.extend(of_the_source(flags, &progress, (&routes, route), &needs));
    let missing = all.iter().filter(|condition| !condition.met).count();
    if common.json {
        screen::print_json(&json!({
            "schema": 1,
            "app": flags.application.flask,
            "route": route.name,
            "endpoint": route.endpoint,
            "days": flags.days,
            "retirable": missing == 0,
            "conditions": all,
            "source": needs,
        }));
    } else {
        screen::print(&report::text(&sections(flags, route, &all, &needs)));
    }
    if missing > 0 { Err(Exit::silent(3)) } else { Ok(()) }
}

fn find<'p>(progress: &'p Progress, name: &str) -> Result<&'p RouteProgress, Exit> {
    progress.routes.iter().find(|route| route.name == name).ok_or_else(|| {
        let names: Vec<&str> = progress.routes.iter().map(|route| route.name.as_str()).collect();
        let help = match nearest(name, &names).first() {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`ficus routes` lists them".to_owned(),
        };
        Exit::failed(format!("there is no route `{name}`; {help}"))
    })
}

/// What the source says, beside what traffic says.
fn of_the_source(
    flags: &Flags,
    progress: &Progress,
    (routes, route): (&[&RouteProgress], &RouteProgress),
    needs: &Needs,
) -> Vec<Condition> {
    let endpoint = &route.endpoint;
    if !needs.known {
        let gone = format!("the application has no endpoint `{endpoint}` any more");
        return vec![Condition::new("view", gone, None)];
    }
    let written =
        needs.view.as_ref().map(|lines| format!("the view is {}:{}-{}", lines.file, lines.from, lines.to));
    let nowhere = written.is_none().then(|| {
        format!(
            "nobody can tell where the view of `{endpoint}` is written: not in the application's own files"
        )
    });
    let uses: Vec<String> = needs
        .uses
        .iter()
        .filter(|line| !line.test)
        .map(|line| format!("{}:{}", line.file, line.from))
        .collect();
    vec![
        Condition::new("view", written.unwrap_or_default(), nowhere),
        Condition::new(
            "whole",
            "every rule and method of the endpoint is a route".to_owned(),
            left_out(routes, needs),
        ),
        Condition::new("shared", "no other endpoint has the same view".to_owned(), shared(progress, needs)),
        Condition::new(
            "uses",
            "nothing else in Python uses its function".to_owned(),
            places("the view is used at", &uses, ""),
        ),
        urls(flags, needs),
        unread(flags, needs),
    ]
}

/// Requests that no route takes are answered by Flask, and by this view.
fn left_out(routes: &[&RouteProgress], needs: &Needs) -> Option<String> {
    let taken = |rule: &str, method: &str| {
        let fits = |route: &&&RouteProgress| route.rules.iter().any(|own| own == rule);
        routes.iter().filter(fits).any(|route| route.methods.iter().any(|own| own == method || own == "*"))
    };
    let mut left = Vec::new();
    for rule in &needs.rules {
        for method in rule.methods.iter().filter(|method| !taken(&rule.rule, method)) {
            left.push(format!("{method} {}", rule.rule));
        }
    }
    places("no route takes", &left, ": Flask's view answers it")
}

fn shared(progress: &Progress, needs: &Needs) -> Option<String> {
    let python = |endpoint: &&String| {
        let mut own = progress.routes.iter().filter(|route| route.endpoint == **endpoint).peekable();
        own.peek().is_none() || own.any(|route| route.stage != Stage::Retired)
    };
    let left: Vec<String> = needs.shared_with.iter().filter(python).map(|name| format!("`{name}`")).collect();
    places("the same view answers", &left, ", which is not retired yet")
}

/// Places that build its URL.
fn urls(flags: &Flags, needs: &Needs) -> Condition {
    let found: Vec<String> = certain(needs).map(place).collect();
    let good = if flags.keep_rule && !found.is_empty() {
        let places = if found.len() == 1 {
            "one other place".to_owned()
        } else {
            format!("{} other places", found.len())
        };
        format!("its URL is built in {places}, and the rule stays")
    } else {
        "nothing else builds its URL".to_owned()
    };
    let missing =
        places("its URL is built at", &found, "; remove them, or keep the rule and say --keep-rule");
    Condition::new("urls", good, missing.filter(|_| !flags.keep_rule))
}

/// Places that a scan cannot read.
fn unread(flags: &Flags, needs: &Needs) -> Condition {
    let mut found: Vec<String> = needs.unread.iter().map(|unread| unread.file.clone()).collect();
    found.extend(uncertain(needs).map(place));
    let good = if found.is_empty() {
        "everything could be read".to_owned()
    } else {
        format!("somebody looked at {} places that a scan cannot read", found.len())
    };
    let missing =
        places("only a person can tell what is meant at", &found, "; look at them and say --reviewed");
    Condition::new("read", good, missing.filter(|_| !flags.reviewed))
}

fn certain(needs: &Needs) -> impl Iterator<Item = &Reference> {
    needs.references.iter().filter(|one| !one.test && matches!(one.kind.as_str(), "url_for" | "template"))
}

fn uncertain(needs: &Needs) -> impl Iterator<Item = &Reference> {
    needs.references.iter().filter(|one| !one.test && !matches!(one.kind.as_str(), "url_for" | "template"))
}

fn place(reference: &Reference) -> String {
    format!("{}:{}", reference.file, reference.line)
}

/// A sentence with the first places; `None` if there are none.
fn places(words: &str, places: &[String], rest: &str) -> Option<String> {
    let more = match places.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named = places.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    (!places.is_empty()).then(|| format!("{words} {named}{more}{rest}"))
}

fn sections(flags: &Flags, route: &RouteProgress, all: &[Condition], needs: &Needs) -> Vec<Section> {
    let missing = all.iter().filter(|condition| !condition.met).count();
    let head = match missing {
        0 => format!("{}: nothing needs the Python view", route.name),
        1 => format!("{}: not yet, one of {} conditions is missing", route.name, all.len()),
        n => format!("{}: not yet, {n} of {} conditions are missing", route.name, all.len()),
    };
    let line = |condition: &Condition| {
        let mark = if condition.met { "[x]" } else { "[ ]" };
        let text = format!("{mark} {:<9} {}", condition.name, condition.sentence);
        if condition.met { text } else { screen::bad(&text) }
    };
    let mut sections =
        vec![Section { title: head, sentences: all.iter().map(line).collect(), ..Section::default() }];
    let rows = lines(needs);
    if !rows.is_empty() {
        let title = "Lines that go with it (nothing was written)".to_owned();
        sections.push(Section { title, header: vec!["LINES", "WHAT"], rows, ..Section::default() });
    }
    if missing == 0 {
        sections.push(Section {
            title: "Then".to_owned(),
            sentences: then(flags, route, needs),
            ..Section::default()
        });
    }
    sections
}

/// What may be deleted.
fn lines(needs: &Needs) -> Vec<Vec<String>> {
    let at = |file: &str, from: u64, to: u64| {
        if from == to { format!("{file}:{from}") } else { format!("{file}:{from}-{to}") }
    };
    let mut rows = Vec::new();
    if let Some(view) = &needs.view {
        let decorators = match needs.decorators.len() {
            0 => String::new(),
            _ => format!(" with @{}", needs.decorators.join(", @")),
        };
        let what = format!("the {} `{}`{decorators}", view.kind, view.name);
        rows.push(vec![at(&view.file, view.from, view.to), what]);
    }
    for line in &needs.registered {
        rows.push(vec![at(&line.file, line.from, line.to), format!("names it: {}", line.text)]);
    }
    for only in &needs.only {
        let what = format!("the {} `{}`: nothing else uses it", only.kind, only.name);
        rows.push(vec![at(&only.file, only.from, only.to), what]);
    }
    for template in needs.templates.iter().filter(|template| template.only) {
        let file = template.file.clone().unwrap_or_else(|| template.name.clone());
        rows.push(vec![file, "no other Python view renders it; the Rust handler may".to_owned()]);
    }
    let tests =
        needs.references.iter().filter(|one| one.test).map(|one| (&one.file, one.line, one.line, &one.text));
    let used =
        needs.uses.iter().filter(|line| line.test).map(|line| (&line.file, line.from, line.to, &line.text));
    for (file, from, to, text) in tests.chain(used) {
        rows.push(vec![at(file, from, to), format!("a test of it: {text}")]);
    }
    rows
}

fn then(flags: &Flags, route: &RouteProgress, needs: &Needs) -> Vec<String> {
    let mut steps = vec![format!(
        "1. set `fallback = \"{}\"` for `{}` in routes.toml: from then on nothing falls back to Python, and `ficus progress` \
         counts it as retired; until the lines are deleted, taking that back takes all of it back",
        route.candidate, route.name
    )];
    if flags.keep_rule && certain(needs).next().is_some() {
        for rule in &needs.rules {
            steps.push(format!(
                "{}. keep the rule for `url_for`: app.url_map.add(Rule({:?}, endpoint={:?}, build_only=True))",
                steps.len() + 1, rule.rule, route.endpoint
            ));
        }
    }
    steps.push(format!("{}. delete the lines above", steps.len() + 1));
    steps
}
