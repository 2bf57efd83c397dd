//! `ficus init`: from a Flask application to the two files, without touching the application.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::census::{self, Census, Outcome};

use super::application::Application;
use super::arguments::Common;
use super::exit::Exit;
use super::{Done, screen};

/// `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Writes ficus.toml and routes.toml into the application's directory, or where --config and --routes say. Every route is \
served by legacy, so nothing changes for anybody. The application is started once, in its own Python; its files are not \
touched.

Examples:
  ficus init --flask crm:create_app
  ficus init --flask wsgi:app --python /srv/crm/venv/bin/python --dir /srv/crm")]
pub(super) struct Init {
    #[command(flatten)]
    application: Application,
    /// Replace files that say something else
    #[arg(long)]
    force: bool,
}

/// A file after it was written or not.
struct Written {
    path: PathBuf,
    outcome: Outcome,
    /// Where it contradicts the application, if it was kept.
    differences: Vec<String>,
}

pub(super) fn run(common: &Common, flags: &Init) -> Done {
    let census = flags.application.interpreter().census()?;
    let files = write_files(common, flags, &census)?;
    if common.json {
        screen::print_json(&document(&census, &files));
    } else {
        screen::print(&found(&census));
        screen::print(&files_text(&files));
        if !census.has_shim {
            screen::print(PATCH);
        }
        for warning in warnings(&census) {
            eprintln!("{} {warning}", screen::warning_word());
        }
    }
    let contradicting: Vec<&Written> = files.iter().filter(|file| !file.differences.is_empty()).collect();
    if contradicting.is_empty() {
        if !common.json {
            screen::print("Next: ficus check && ficus serve\n");
        }
        return Ok(());
    }
    let names: Vec<String> = contradicting.iter().map(|file| format!("`{}`", file.path.display())).collect();
    let (is, it) = if names.len() == 1 { ("differs", "it") } else { ("differ", "them") };
    Err(Exit::failed(format!(
        "{} {is} from the application; edit {it}, or give --force to write {it} anew (flips in {it} are lost)",
        names.join(" and ")
    )))
}

const PATCH: &str = "\
Add to the application, after its configuration is loaded (ficus edits no Python):
  + from legacy_shim import LegacyShim
  + LegacyShim(app)
";

fn write_files(common: &Common, flags: &Init, census: &Census) -> Result<[Written; 2], Exit> {
    let settings = common.config.clone().unwrap_or_else(|| flags.application.dir.join("ficus.toml"));
    let routes = common.routes.clone().unwrap_or_else(|| settings.with_file_name("routes.toml"));
    let text = census::settings_text(census, &seen_from(&settings, &routes));
    Ok([
        one(settings, &text, flags.force, |file| census::settings_differences(file, census))?,
        one(routes, &census.routes_toml, flags.force, |file| {
            census::compare(file, &census.routes_toml).map(|changes| changes.lines())
        })?,
    ])
}

/// The routing file as ficus.toml names it: paths there are relative to it.
fn seen_from(settings: &Path, routes: &Path) -> String {
    let folder =
        |path: &Path| std::path::absolute(path).ok().and_then(|path| Some(path.parent()?.to_owned()));
    match routes.file_name() {
        Some(name) if folder(settings) == folder(routes) => name.to_string_lossy().into_owned(),
        _ => std::path::absolute(routes).unwrap_or_else(|_| routes.to_owned()).display().to_string(),
    }
}

fn one(
    path: PathBuf,
    text: &str,
    force: bool,
    compare: impl Fn(&str) -> Result<Vec<String>, toml::de::Error>,
) -> Result<Written, Exit> {
    let outcome = census::write(&path, text, force)
        .map_err(|error| Exit::failed(format!("cannot write `{}`: {error}", path.display())))?;
    let differences = if outcome == Outcome::Kept {
        let present = std::fs::read_to_string(&path)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?;
        compare(&present).unwrap_or_else(|error| vec![format!("it is no TOML: {}", error.message())])
    } else {
        Vec::new()
    };
    Ok(Written { path, outcome, differences })
}

/// What was found, in a few lines.
fn found(census: &Census) -> String {
    let versions = &census.versions;
    let extensions: Vec<String> = census
        .extensions
        .iter()
        .map(|extension| format!("{} {}", extension.name, extension.version))
        .collect();
    let mut lines = vec![format!(
        "Found Flask {} (Werkzeug {}, Python {}): {} rules, {} blueprints",
        versions.flask,
        versions.werkzeug,
        versions.python,
        census.rules.len(),
        census.app.blueprints.len(),
    )];
    let none = |list: Vec<String>| if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    lines.push(format!("  extensions   {}", none(extensions)));
    lines.push(format!("  sessions     {}", sessions(census)));
    lines.push(format!(
        "  CSRF         checked on {} routes; exempt: {}",
        with_csrf(census, "checked").len(),
        none(with_csrf(census, "exempt"))
    ));
    lines.push(format!("  streaming    {}", none(streaming(census))));
    lines.join("\n") + "\n"
}

fn sessions(census: &Census) -> String {
    let session = &census.session;
    match (session.kind.as_str(), &session.store) {
        ("cookie", _) => format!("in the signed cookie `{}`", session.cookie),
        ("server", store) => {
            format!("on the server ({}), cookie `{}`", store.as_deref().unwrap_or("unknown"), session.cookie)
        }
        _ => format!("in a way of the application's own ({})", session.interface),
    }
}

fn with_csrf(census: &Census, word: &str) -> Vec<String> {
    let says = |csrf: &Option<String>| csrf.as_deref().is_some_and(|text| text.starts_with(word));
    census.routes.iter().filter(|route| says(&route.csrf)).map(|route| route.name.clone()).collect()
}

/// Views that stream something else than files of the static folder.
fn streaming(census: &Census) -> Vec<String> {
    let streams = |text: &Option<String>| {
        text.as_deref().is_some_and(|text| text.starts_with("yes") && text != "yes (files)")
    };
    census.routes.iter().filter(|route| streams(&route.streaming)).map(|route| route.name.clone()).collect()
}

fn files_text(files: &[Written]) -> String {
    let same = |file: &Written| file.outcome == Outcome::Same;
    if files.iter().all(same) {
        return "Nothing changed: both files say this already\n".to_owned();
    }
    let mut text = String::new();
    for Written { path, outcome, differences } in files {
        let path = path.display();
        text.push_str(&match outcome {
            Outcome::Written => format!("Wrote {path}\n"),
            Outcome::Replaced => format!("Replaced {path}\n"),
            Outcome::Same => format!("{path} says this already\n"),
            Outcome::Kept if differences.is_empty() => {
                format!("Kept {path}: it was edited, and agrees with the application\n")
            }
            Outcome::Kept => format!("Kept {path}: it differs from the application\n"),
        });
        for difference in differences {
            text.push_str(&format!("  {difference}\n"));
        }
    }
    text
}

/// The shim's warnings, and those that follow from what Ficus can do.
fn warnings(census: &Census) -> Vec<String> {
    let mut warnings = census.warnings.clone();
    if !census.profile_is_exact {
        warnings.push(format!(
            "Werkzeug {} was not compared with Ficus; `{}` is nearest: run `ficus prove-routes`",
            census.versions.werkzeug, census.profile
        ));
    }
    warnings.extend(census.session.warnings.iter().cloned());
    if census.session.kind != "cookie" {
        warnings.push(
            "sessions are not Flask's signed cookies: Ficus tells users apart by address, and handlers read sessions \
             through the shim"
                .to_owned(),
        );
    }
    let key = &census.secret_key;
    match key.variables.first() {
        _ if !key.set => warnings.push("the application has no SECRET_KEY: nobody can have a session".to_owned()),
        Some(name) if !key.variables.iter().any(|name| name == "FLASK_SECRET_KEY") => warnings.push(format!(
            "the application takes its SECRET_KEY from {name}; ficus.toml names FLASK_SECRET_KEY: set it, or change the \
             name there"
        )),
        None => warnings.push(
            "the SECRET_KEY comes from no environment variable; give Ficus the same text in FLASK_SECRET_KEY".to_owned(),
        ),
        Some(_) => {}
    }
    if key.fallbacks > 0 {
        warnings.push(format!(
            "SECRET_KEY_FALLBACKS has {} older keys, which ficus.toml cannot name",
            key.fallbacks
        ));
    }
    warnings
}

fn document(census: &Census, files: &[Written]) -> serde_json::Value {
    let files: Vec<_> = files
        .iter()
        .map(|file| {
            let outcome = match file.outcome {
                Outcome::Written => "written",
                Outcome::Replaced => "replaced",
                Outcome::Same => "same",
                Outcome::Kept => "kept",
            };
            json!({"path": file.path, "outcome": outcome, "differences": file.differences})
        })
        .collect();
    let extensions: Vec<_> =
        census.extensions.iter().map(|e| json!({"name": e.name, "version": e.version})).collect();
    json!({
        "schema": 1,
        "app": census.app.target,
        "flask": census.versions.flask,
        "werkzeug": census.versions.werkzeug,
        "python": census.versions.python,
        "profile": census.profile,
        "rules": census.rules.len(),
        "routes": census.routes.len(),
        "blueprints": census.app.blueprints,
        "extensions": extensions,
        "session": {"kind": census.session.kind, "store": census.session.store, "cookie": census.session.cookie},
        "csrf_exempt": with_csrf(census, "exempt"),
        "streaming": streaming(census),
        "has_shim": census.has_shim,
        "files": files,
        "warnings": warnings(census),
    })
}
