//! `ficus check-templates`: the templates of routes rendered by the application's Jinja2 and by minijinja.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value as Json, json};

use crate::census::{Difference, Page, Renderer, RouteTemplates, TemplateOutcome as Outcome};

use super::application::Application;
use super::arguments::Common;
use super::exit::Exit;
use super::{Done, screen};

/// `check-templates`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --context and --request values are invented from how the templates use their names; no view runs. Both engines get \
the same objects: what minijinja asks for, the application answers. Exit code 3 if a template differs or does not render.

Examples:
  ficus check-templates --flask crm:create_app
  ficus check-templates customers.detail --flask wsgi:app --request /customers/7 --cookie \"session=...\"
  ficus check-templates customers.list --flask wsgi:app --context list.json")]
pub(super) struct CheckTemplates {
    /// Only these routes [default: all that render a template]
    #[arg(value_name = "ROUTE")]
    pub(super) only: Vec<String>,
    #[command(flatten)]
    application: Application,
    /// Take templates from this folder first, on the side of minijinja
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
    /// Contexts: a JSON object from templates or routes to their values
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// Let the view answer GET PATH, and take the contexts that it renders with
    #[arg(long, value_name = "PATH")]
    request: Vec<String>,
    /// The Cookie header of --request
    #[arg(long, value_name = "TEXT", requires = "request")]
    cookie: Option<String>,
}

/// One line of the report.
struct Checked {
    route: String,
    context: &'static str,
    page: Page,
}

pub(super) fn run(common: &Common, flags: &CheckTemplates) -> Done {
    let contexts = contexts(flags)?;
    let renderer = Renderer::start(&flags.application.interpreter(), flags.templates.clone())?;
    let (mut checked, mut notes) = (Vec::new(), notes(&renderer));
    if flags.request.is_empty() {
        for route in routes(&renderer, &flags.only)? {
            if route.unknown {
                let note = "a template of it is named in a way that cannot be read; --request shows it";
                notes.push(format!("{}: {note}", route.endpoint));
            }
            for name in &route.templates {
                let context = contexts.get(name).or_else(|| contexts.get(&route.endpoint));
                let page = renderer.template(name, context)?;
                let context = if context.is_some() { "given" } else { "invented" };
                checked.push(Checked { route: route.endpoint.clone(), context, page });
            }
        }
    }
    for path in &flags.request {
        let (pages, status, location) = renderer.request(path, flags.cookie.as_deref())?;
        if pages.is_empty() {
            let to = location.map(|to| format!(" to {to}")).unwrap_or_default();
            notes.push(format!("GET {path}: {status}{to}, no template was rendered"));
        }
        checked.extend(pages.into_iter().map(|page| Checked {
            route: format!("GET {path}"),
            context: "real",
            page,
        }));
    }
    if common.json {
        screen::print_json(&document(&renderer, &checked, &notes));
    } else {
        screen::print(&report(&renderer, &checked));
        for note in &notes {
            eprintln!("{} {note}", screen::warning_word());
        }
    }
    let wrong = |checked: &Checked| matches!(checked.page.outcome, Outcome::Differs(_) | Outcome::Fails(_));
    match (checked.iter().any(wrong), checked.is_empty()) {
        (true, _) => Err(Exit::silent(3)),
        (false, true) => Err(Exit::failed("no template was rendered")),
        (false, false) => Ok(()),
    }
}

/// What the file of contexts says.
fn contexts(flags: &CheckTemplates) -> Result<serde_json::Map<String, Json>, Exit> {
    let Some(path) = &flags.context else { return Ok(serde_json::Map::new()) };
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Exit::failed(format!("cannot read `{shown}`: {error}")))?;
    match serde_json::from_str(&text) {
        Ok(Json::Object(contexts)) if contexts.values().all(Json::is_object) => Ok(contexts),
        Ok(_) => {
            Err(Exit::failed(format!("`{shown}` must be an object from templates or routes to objects")))
        }
        Err(error) => Err(Exit::failed(format!("`{shown}` is no JSON: {error}"))),
    }
}

/// What the whole application does that minijinja is not told.
fn notes(renderer: &Renderer) -> Vec<String> {
    let options = &renderer.facts.options;
    if options.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> = options.iter().map(|name| format!("`{name}`")).collect();
    vec![format!("the application sets {} of its Jinja environment; minijinja has Flask's", names.join(", "))]
}

/// The routes that are meant: by endpoint, or by the name of a route that is an endpoint split by method.
fn routes<'a>(renderer: &'a Renderer, only: &[String]) -> Result<Vec<&'a RouteTemplates>, Exit> {
    let known = &renderer.facts.routes;
    if only.is_empty() {
        return Ok(known.iter().collect());
    }
    let mut found = Vec::new();
    for name in only {
        let exact = known.iter().find(|route| route.endpoint == *name);
        let split = || {
            name.rsplit_once('.').and_then(|(start, _)| known.iter().find(|route| route.endpoint == start))
        };
        let Some(route) = exact.or_else(split) else {
            let similar =
                known.iter().map(|route| (strsim::jaro_winkler(&route.endpoint, name), &route.endpoint));
            let near =
                similar.filter(|(score, _)| *score > 0.8).max_by(|one, other| one.0.total_cmp(&other.0));
            let near = near.map(|(_, name)| format!("; did you mean `{name}`?")).unwrap_or_default();
            return Err(Exit::failed(format!("the application has no endpoint `{name}`{near}")));
        };
        if route.templates.is_empty() && !route.unknown {
            return Err(Exit::failed(format!(
                "no template is seen in the source of `{name}`; --request shows what it renders"
            )));
        }
        found.push(route);
    }
    Ok(found)
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Same => "same",
        Outcome::Differs(_) => "DIFFERS",
        Outcome::Unstable => "changes by itself",
        Outcome::Fails(_) => "FAILS",
        Outcome::NotRendered(_) => "only read",
    }
}

fn report(renderer: &Renderer, checked: &[Checked]) -> String {
    let rows: Vec<Vec<String>> = checked
        .iter()
        .map(|line| {
            let (route, template) = (line.route.clone(), line.page.template.clone());
            vec![route, template, line.context.to_owned(), word(&line.page.outcome).to_owned()]
        })
        .collect();
    let mut text = screen::table(&["ROUTE", "TEMPLATE", "CONTEXT", "RESULT"], &rows);
    let mut told = BTreeSet::new();
    for line in checked.iter().filter(|line| told.insert(line.page.template.clone())) {
        text.push_str(&details(&line.page));
    }
    let count = |wanted: &str| checked.iter().filter(|line| word(&line.page.outcome) == wanted).count();
    text.push_str(&format!(
        "Flask {}, Jinja2 {}: {} the same, {} differ, {} fail, {} only read, {} change by themselves\n",
        renderer.facts.versions.flask,
        renderer.facts.versions.jinja,
        count("same"),
        count("DIFFERS"),
        count("FAILS"),
        count("only read"),
        count("changes by itself")
    ));
    let used: BTreeSet<&str> = checked.iter().flat_map(|line| &line.page.used).map(String::as_str).collect();
    if !used.is_empty() {
        let used: Vec<&str> = used.into_iter().collect();
        text.push_str(&format!("the application's own, to be written in Rust: {}\n", used.join(", ")));
    }
    text
}

/// What is to be said of a template that is not the same.
fn details(page: &Page) -> String {
    let name = &page.template;
    match &page.outcome {
        Outcome::Same | Outcome::Unstable => String::new(),
        Outcome::Fails(why) => format!("\n{}\n  ficus: {why}\n", screen::bad(name)),
        Outcome::NotRendered(why) => {
            format!("\n{name}\n  flask: {why}\n  --context or --request give it a context\n")
        }
        Outcome::Differs(found) => {
            let shown: String = found.iter().take(5).map(one_difference).collect();
            let more = found.len().saturating_sub(5);
            let more = if more > 0 { format!("  and {more} more; --json has all\n") } else { String::new() };
            format!("\n{}\n{shown}{more}", screen::bad(name))
        }
    }
}

fn one_difference(difference: &Difference) -> String {
    let near =
        difference.near.as_ref().map(|(name, line)| format!(", near {name}:{line}")).unwrap_or_default();
    let lines = |sign: &str, texts: &[String]| -> String {
        let few = texts.iter().take(6).map(|text| format!("    {sign} {text}\n"));
        few.chain((texts.len() > 6).then(|| format!("    {sign} ... {} lines\n", texts.len()))).collect()
    };
    format!(
        "  line {} of the page{near}\n{}{}",
        difference.line,
        lines("- flask:", &difference.flask),
        lines("+ ficus:", &difference.ficus)
    )
}

fn document(renderer: &Renderer, checked: &[Checked], notes: &[String]) -> Json {
    let pages: Vec<Json> = checked
        .iter()
        .map(|line| {
            let (differences, why) = match &line.page.outcome {
                Outcome::Differs(found) => (json!(found), Json::Null),
                Outcome::Fails(why) | Outcome::NotRendered(why) => (json!([]), json!(why)),
                Outcome::Same | Outcome::Unstable => (json!([]), Json::Null),
            };
            let result = match &line.page.outcome {
                Outcome::Same => "same",
                Outcome::Differs(_) => "differs",
                Outcome::Unstable => "unstable",
                Outcome::Fails(_) => "fails",
                Outcome::NotRendered(_) => "only_read",
            };
            json!({
                "route": line.route,
                "template": line.page.template,
                "context": line.context,
                "result": result,
                "why": why,
                "differences": differences,
                "used": line.page.used,
            })
        })
        .collect();
    let unread: Vec<&str> = renderer
        .facts
        .routes
        .iter()
        .filter(|route| route.unknown)
        .map(|route| route.endpoint.as_str())
        .collect();
    json!({
        "schema": 1,
        "flask": renderer.facts.versions.flask,
        "jinja": renderer.facts.versions.jinja,
        "pages": pages,
        "options": renderer.facts.options,
        "templates_unknown": unread,
        "warnings": notes,
    })
}
