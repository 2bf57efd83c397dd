//! `ficus check`: both files, all findings at once, by the same code that serves.

use std::path::PathBuf;

use crate::control::Finding;
use crate::diagnostic::{Place, Report, Severity, Source};
use crate::route::{Context, read};
use crate::settings::{self, Inputs, Settings};

use super::Done;
use super::arguments::{Check, Common};
use super::exit::Exit;
use super::screen;

pub(super) fn run(common: &Common, _flags: &Check) -> Done {
    let mut inputs = common.inputs();
    inputs.secrets_optional = true;
    let (settings, mut report) = settings::load(&inputs);
    let path =
        settings.as_ref().and_then(|settings| settings.routes.clone()).or_else(|| common.routes.clone());
    let mut routes = None;
    if let Some(path) = &path {
        routes = check_routes(path, &inputs, settings.as_ref(), &mut report);
    }
    let errors = report.count(Severity::Error);
    if common.json {
        screen::print_json(&serde_json::json!({
            "schema": 1,
            "ok": errors == 0,
            "errors": errors,
            "warnings": report.count(Severity::Warning),
            "routes": routes,
            "findings": Finding::all(&report),
        }));
    } else {
        eprint!("{}", report.render(screen::colour_on_stderr()));
        let files = files(inputs.config_path().as_ref(), path.as_ref(), routes);
        screen::print(&format!("{files}: {}\n", report.summary()));
    }
    if errors > 0 { Err(Exit::silent(1)) } else { Ok(()) }
}

/// How many routes there are, if the file is good.
fn check_routes(
    path: &PathBuf,
    inputs: &Inputs,
    settings: Option<&Settings>,
    report: &mut Report,
) -> Option<usize> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let source = Source::new(name.clone(), "");
            report.error(&Place::start(&source), format!("cannot read `{name}`: {error}"));
            return None;
        }
    };
    let source = Source::new(name, text);
    let backends = settings.filter(|_| knows_backends(inputs)).map(|s| s.backends.keys().cloned().collect());
    if backends.is_none() && settings.is_some() {
        report
            .warning(&Place::start(&source), "the names of backends are not checked")
            .help("there is no ficus.toml here; name it with `--config`");
    }
    let profile = settings.map(|settings| settings.flask.profile).unwrap_or_default();
    let (table, found) =
        read(&source, &Context { backends, profile, today: Some(|| chrono::Utc::now().date_naive()) });
    report.extend(found);
    table.map(|table| table.routes().len())
}

/// Without any word about backends, nobody can say whether one is missing.
fn knows_backends(inputs: &Inputs) -> bool {
    inputs.config_path().is_some()
        || inputs.environment.keys().any(|name| name.starts_with("FICUS_BACKENDS_"))
}

/// What was checked, for the last line.
fn files(config: Option<&PathBuf>, routes: Option<&PathBuf>, count: Option<usize>) -> String {
    let mut files: Vec<String> = config.into_iter().map(|path| path.display().to_string()).collect();
    match (routes, count) {
        (Some(path), Some(count)) => files.push(format!("{} ({count} routes)", path.display())),
        (Some(path), None) => files.push(path.display().to_string()),
        (None, _) if files.is_empty() => files.push("no files, everything goes to legacy".to_owned()),
        (None, _) => files.push("no routing file".to_owned()),
    }
    files.join(", ")
}
