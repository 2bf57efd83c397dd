//! `ficus prove-routes`: the application's real url_map and the routing table, asked the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::census::{Answer, Generator, Group, Header, Judge, Oracle, Question, Verdict, grouped, recorded};
use crate::settings::Settings;

use super::application::Application;
use super::arguments::Common;
use super::census::{checked, routing_file};
use super::exit::Exit;
use super::{Done, offline, screen};

/// `prove-routes`.
#[derive(Debug, Args)]
#[command(after_help = "\
The application's matcher and converters run, its views do not. What only Flask's map can know (own converters, \
redirects, aliases) is counted as left to Flask.

Examples:
  ficus prove-routes --flask crm:create_app
  ficus prove-routes --flask wsgi:app --count 1000000 --seed 7 --log /var/log/gunicorn/access.log")]
pub(super) struct Prove {
    #[command(flatten)]
    application: Application,
    /// How many requests to invent
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    count: usize,
    /// Which ones: the same seed, the same requests
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Also the requests of this access log: Ficus' own, or the common or combined format
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// The Host header [default: SERVER_NAME of the application, else localhost]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

/// Everything that was compared.
struct Proof {
    header: Header,
    generated: usize,
    recorded: usize,
    strange_lines: usize,
    /// How often the application said what.
    answers: BTreeMap<&'static str, usize>,
    agreed: usize,
    left_to_flask: usize,
    differences: Vec<(Question, Answer, Answer)>,
}

/// Requests between two questions to the application's process: enough to keep it busy, few enough for memory.
const BATCH: usize = 50_000;

pub(super) fn run(common: &Common, flags: &Prove) -> Done {
    let settings = offline::settings(&flags.application.files(common))?;
    let (name, text) = routing_file(&settings)?;
    let log = flags.log.as_ref().map(|path| {
        let bytes = std::fs::read(path);
        bytes.map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))
    });
    let log = log.transpose()?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (oracle, header) = Oracle::start(&flags.application.interpreter())?;
    let profile = profile(&settings, &header)?;
    let table = checked(&settings, &name, &text, profile)?;
    let proof = compare(flags, log.as_deref(), (oracle, header), &table)?;
    let groups = grouped(&proof.differences);
    if common.json {
        screen::print_json(&document(flags, &name, &proof, &groups));
    } else {
        screen::print(&report(flags, &proof, &groups));
    }
    if groups.is_empty() { Ok(()) } else { Err(Exit::silent(1)) }
}

/// Whose matching the proxy follows: ficus.toml's, which may not be the application's.
fn profile(settings: &Settings, header: &Header) -> Result<flask_compat::Profile, Exit> {
    let theirs: flask_compat::Profile =
        header.profile.parse().map_err(|error| Exit::failed(format!("the shim names an {error}")))?;
    if settings.config.is_none() {
        return Ok(theirs);
    }
    if settings.flask.profile != theirs {
        eprintln!(
            "{} ficus.toml follows {}, the application runs on Werkzeug {}",
            screen::warning_word(),
            settings.flask.profile,
            header.versions.werkzeug
        );
    }
    Ok(settings.flask.profile)
}

fn compare(
    flags: &Prove,
    log: Option<&str>,
    (mut oracle, header): (Oracle, Header),
    table: &crate::route::Table,
) -> Result<Proof, Exit> {
    let host =
        flags.host.clone().or_else(|| header.server_name.clone()).unwrap_or_else(|| "localhost".to_owned());
    let (mut waiting, strange_lines) = log.map(|log| recorded(log, &host)).unwrap_or_default();
    let mut proof = Proof {
        header: header.clone(),
        generated: flags.count,
        recorded: waiting.len(),
        strange_lines,
        answers: BTreeMap::new(),
        agreed: 0,
        left_to_flask: 0,
        differences: Vec::new(),
    };
    let judge = Judge::new(table, &header.rules);
    let mut generator = Generator::new(&header.rules, &host, flags.seed);
    let mut left = flags.count;
    while left > 0 || !waiting.is_empty() {
        let count = left.min(BATCH);
        left -= count;
        let mut questions = std::mem::take(&mut waiting);
        questions.extend(generator.questions(count));
        let answers = oracle.ask(&questions)?;
        for (question, theirs) in questions.into_iter().zip(answers) {
            *proof.answers.entry(word(&theirs)).or_default() += 1;
            match judge.compare(&question, &theirs) {
                (Verdict::Agreed, _) => proof.agreed += 1,
                (Verdict::LeftToFlask, _) => proof.left_to_flask += 1,
                (Verdict::Disagreed, ours) => proof.differences.push((question, theirs, ours)),
            }
        }
    }
    Ok(proof)
}

fn word(answer: &Answer) -> &'static str {
    match answer {
        Answer::Rule { .. } => "an endpoint",
        Answer::Redirect { .. } => "a redirect",
        Answer::MethodNotAllowed { .. } => "405",
        Answer::NotFound => "404",
        Answer::Refused { .. } => "400",
        Answer::Error { .. } => "500",
    }
}

fn report(flags: &Prove, proof: &Proof, groups: &[Group]) -> String {
    let Proof { header, generated, recorded, .. } = proof;
    let mut lines = vec![format!(
        "{} requests ({generated} invented with seed {}, {recorded} recorded), {} rules, Flask {}, Werkzeug {}",
        generated + recorded,
        flags.seed,
        header.rules.len(),
        header.versions.flask,
        header.versions.werkzeug
    )];
    let said: Vec<String> = proof.answers.iter().map(|(word, count)| format!("{word} {count}")).collect();
    lines.push(format!("the application said: {}", said.join(", ")));
    if proof.strange_lines > 0 {
        lines.push(format!("{} lines of the log are no requests", proof.strange_lines));
    }
    for group in groups {
        let Question { method, host, path, query } = &group.request;
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        lines.push(format!("{} times, as {method} {path}{query} on {host}", group.count));
        lines.push(format!("  flask: {}", described(&group.flask)));
        lines.push(format!("  ficus: {}", described(&group.ficus)));
    }
    lines.push(format!(
        "{} agree, {} left to Flask, {} disagree",
        proof.agreed,
        proof.left_to_flask,
        proof.differences.len()
    ));
    lines.join("\n") + "\n"
}

fn described(answer: &Answer) -> String {
    match answer {
        Answer::Rule { endpoint, arguments } => {
            let arguments: Vec<String> =
                arguments.iter().map(|(name, (kind, text))| format!("{name}={text:?} ({kind})")).collect();
            format!("{endpoint} {}", arguments.join(" ")).trim_end().to_owned()
        }
        Answer::Redirect { location } => format!("redirect to {location}"),
        Answer::MethodNotAllowed { allow } => format!("405, allowed are {}", allow.join(", ")),
        Answer::NotFound => "404".to_owned(),
        Answer::Refused { status } => status.to_string(),
        Answer::Error { error } => format!("500, {error}"),
    }
}

fn document(flags: &Prove, routes: &str, proof: &Proof, groups: &[Group]) -> serde_json::Value {
    let all: Vec<_> = proof
        .differences
        .iter()
        .map(|(request, flask, ficus)| json!({"request": request, "flask": flask, "ficus": ficus}))
        .collect();
    json!({
        "schema": 1,
        "app": flags.application.flask,
        "routes": routes,
        "werkzeug": proof.header.versions.werkzeug,
        "rules": proof.header.rules.len(),
        "seed": flags.seed,
        "generated": proof.generated,
        "recorded": proof.recorded,
        "lines_without_request": proof.strange_lines,
        "answers": proof.answers,
        "agreed": proof.agreed,
        "left_to_flask": proof.left_to_flask,
        "disagreed": proof.differences.len(),
        "groups": groups,
        "disagreements": all,
    })
}
