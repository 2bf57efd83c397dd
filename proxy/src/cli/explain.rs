//! `ficus explain`: who would answer, and why.

use serde_json::json;

use crate::admin::{Explanation, Question, explain};
use crate::diagnostic::Source;
use crate::route::{Context, Routing, Serve, Table, read};

use super::Done;
use super::arguments::{Common, Explain};
use super::client::{Client, query};
use super::exit::Exit;
use super::{offline, screen};

pub(super) fn run(common: &Common, flags: &Explain) -> Done {
    let question = Question {
        method: flags.method.to_ascii_uppercase(),
        path: flags.path.clone(),
        host: flags.host.clone(),
        user: flags.user.clone(),
        visitor: flags.visitor.clone(),
        address: flags.address,
        roles: (!flags.role.is_empty()).then(|| flags.role.join(",")),
    };
    if !question.path.starts_with('/') {
        return Err(Exit::failed(format!("`{}` is not a path: it begins with `/`", question.path)));
    }
    let (explanation, from) = if flags.offline {
        (from_files(common, &question)?, Some("files"))
    } else {
        match from_running(common, &question) {
            Ok(explanation) => (explanation, None),
            Err(exit) if exit.code() == 5 => {
                let explanation = from_files(common, &question)?;
                eprintln!("{} ficus is not running; this is what the files say", screen::warning_word());
                (explanation, Some("files"))
            }
            Err(exit) => return Err(exit),
        }
    };
    if common.json {
        screen::print_json(&json!({
            "schema": 1,
            "from": from.unwrap_or("running"),
            "question": question,
            "explanation": explanation,
        }));
    } else {
        screen::print(&text(&question, &explanation, from.is_some()));
    }
    Ok(())
}

fn from_running(common: &Common, question: &Question) -> Result<Explanation, Exit> {
    let query = query(&[
        ("method", Some(question.method.clone())),
        ("path", Some(question.path.clone())),
        ("host", Some(question.host.clone())),
        ("user", question.user.clone()),
        ("visitor", question.visitor.clone()),
        ("roles", question.roles.clone()),
        ("address", question.address.map(|address| address.to_string())),
    ]);
    let answer = Client::new(common).get(&format!("/v1/explain{query}"))?;
    serde_json::from_value(answer["explanation"].clone())
        .map_err(|error| Exit::failed(format!("the running ficus explains in another way: {error}")))
}

fn from_files(common: &Common, question: &Question) -> Result<Explanation, Exit> {
    let settings = offline::settings(common)?;
    let table = match &settings.routes {
        None => Table::empty(Serve::Backend("legacy".to_owned())),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?;
            let context = Context { profile: settings.flask.profile, ..Context::default() };
            let (table, report) = read(&Source::new(path.display().to_string(), text), &context);
            table.ok_or_else(|| {
                eprint!("{}", report.render(screen::colour_on_stderr()));
                Exit::failed(format!("`{}` has {}", path.display(), report.summary()))
            })?
        }
    };
    Ok(explain(&Routing { revision: 0, table }, question))
}

fn text(question: &Question, explanation: &Explanation, offline: bool) -> String {
    let route = match (&explanation.route, explanation.line) {
        (Some(route), Some(line)) => format!("{route} (line {line}): {}", explanation.rules.join(", ")),
        (Some(route), None) => format!("{route}: {}", explanation.rules.join(", ")),
        (None, _) => "none".to_owned(),
    };
    let backend = match (&explanation.backend, &explanation.fallback) {
        (Some(backend), Some(fallback)) => format!("{backend}; if it cannot, {fallback}"),
        (Some(backend), None) => backend.clone(),
        (None, _) => "nobody, 503".to_owned(),
    };
    let mut lines = vec![
        format!("{} {}", question.method, question.path),
        format!("route     {route}"),
        format!("answered  {backend}"),
        format!("why       {} [{}]", explanation.why, explanation.reason),
    ];
    if let Some(canary) = &explanation.canary {
        let pin = canary.pin_seconds.map_or_else(|| "off".to_owned(), |seconds| format!("{seconds} s"));
        let by = canary.identity.as_ref().map(|kind| format!(", told apart by {kind}")).unwrap_or_default();
        lines.push(format!(
            "canary    {}; group {}{by}; pin after a write: {pin}; testers' tokens count",
            canary.who, canary.group
        ));
    }
    lines.extend(explanation.pins.iter().map(|pin| format!("held      {pin}")));
    if !offline {
        lines.push(format!("revision  {}", explanation.revision));
    }
    lines.join("\n") + "\n"
}
