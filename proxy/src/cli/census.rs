//! `ficus census`: what changed in the Flask application since routes.toml was written.

use clap::Args;
use serde_json::json;

use crate::census::{self, Census};
use crate::diagnostic::Source;
use crate::route::{Context, Table, read};
use crate::settings::Settings;

use super::application::Application;
use super::arguments::Common;
use super::exit::Exit;
use super::{Done, offline, screen};

/// `census`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus census --flask crm:create_app
  ficus census --flask wsgi:app --routes routes.toml --exit-code")]
pub(super) struct Flags {
    #[command(flatten)]
    application: Application,
    /// Exit with 3 if something changed
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let settings = offline::settings(&flags.application.files(common))?;
    let (name, text) = routing_file(&settings)?;
    checked(&settings, &name, &text, settings.flask.profile)?;
    let census = flags.application.interpreter().census()?;
    let changes = census::compare(&text, &census.routes_toml)
        .map_err(|error| Exit::failed(format!("cannot compare with `{name}`: {}", error.message())))?;
    let profile = profile_change(&settings, &census);
    let changed = profile.is_some() || !changes.is_empty();
    if common.json {
        screen::print_json(&json!({
            "schema": 1,
            "app": census.app.target,
            "routes": name,
            "changed": changed,
            "profile": profile.as_ref().map(|_| &census.profile),
            "new": changes.new,
            "gone": changes.gone,
            "changes": changes.changed,
            "switches": changes.switches,
        }));
    } else if changed {
        let lines: Vec<String> = profile.into_iter().chain(changes.lines()).collect();
        screen::print(&format!(
            "{}\n{name}: {} new, {} gone, {} changed\n",
            lines.join("\n"),
            changes.new.len(),
            changes.gone.len(),
            changes.changed.len()
        ));
    } else {
        screen::print(&format!("nothing changed: `{name}` has every rule of `{}`\n", census.app.target));
    }
    if changed && flags.exit_code { Err(Exit::silent(3)) } else { Ok(()) }
}

/// A line, if ficus.toml follows another Werkzeug.
fn profile_change(settings: &Settings, census: &Census) -> Option<String> {
    settings.config.as_ref()?;
    let said = settings.flask.profile.name();
    (said != census.profile).then(|| format!("~ flask.profile in ficus.toml: {said} -> {}", census.profile))
}

/// Name and text of the routing file.
pub(super) fn routing_file(settings: &Settings) -> Result<(String, String), Exit> {
    let Some(path) = &settings.routes else {
        return Err(Exit::failed("there is no routing file; `ficus init` writes one, `--routes` names one"));
    };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => Err(Exit::failed(format!("cannot read `{name}`: {error}"))),
    }
}

/// The table that the proxy would serve from.
pub(super) fn checked(
    settings: &Settings,
    name: &str,
    text: &str,
    profile: flask_compat::Profile,
) -> Result<Table, Exit> {
    let backends = settings.config.as_ref().map(|_| settings.backends.keys().cloned().collect());
    let (table, report) = read(&Source::new(name, text), &Context { backends, profile, today: None });
    table.ok_or_else(|| {
        eprint!("{}", report.render(screen::colour_on_stderr()));
        Exit::failed(format!("`{name}` has {}", report.summary()))
    })
}
