//! `ficus fmt`: the routing file in its canonical form.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::control::{replace_file, unified};
use crate::diagnostic::Source;
use crate::route::{Context, NotCanonical, canonical, read};

use super::Done;
use super::arguments::Common;
use super::census::routing_file;
use super::exit::Exit;
use super::{offline, screen};

/// `fmt`.
#[derive(Debug, Args)]
#[command(after_help = "\
Comments and the order of the routes stay. Keys come in the order of the reference, texts in double quotes, a blank line \
stands between tables. What the file says never changes: the result is read again, and refused if it says anything else.

Examples:
  ficus fmt
  ficus fmt new.toml
  ficus fmt --check --diff")]
pub(super) struct Flags {
    /// The file [default: the routing file]
    file: Option<PathBuf>,
    /// Write nothing; exit with 3 if the file is not in its canonical form
    #[arg(long)]
    check: bool,
    /// Print the difference
    #[arg(long)]
    diff: bool,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let (path, text) = file(common, flags)?;
    let name = path.display().to_string();
    let done = canonical(&text).map_err(|error| refused(&name, &text, &error))?;
    let changed = done != text;
    let difference = if flags.diff { unified(&text, &done) } else { String::new() };
    if changed && !flags.check {
        replace_file(&path, &done).map_err(|error| Exit::failed(error.to_string()))?;
    }
    if common.json {
        let diff = flags.diff.then_some(difference);
        screen::print_json(
            &json!({ "schema": 1, "file": name, "canonical": !changed, "written": changed && !flags.check, "diff": diff }),
        );
    } else {
        let word = match (changed, flags.check) {
            (false, _) => "is in its canonical form",
            (true, true) => "is not in its canonical form; `ficus fmt` writes it",
            (true, false) => "is now in its canonical form",
        };
        screen::print(&format!("{difference}`{name}` {word}\n"));
    }
    if changed && flags.check { Err(Exit::silent(3)) } else { Ok(()) }
}

fn file(common: &Common, flags: &Flags) -> Result<(PathBuf, String), Exit> {
    if let Some(path) = &flags.file {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?;
        return Ok((path.clone(), text));
    }
    let (name, text) = routing_file(&offline::settings(common)?)?;
    Ok((PathBuf::from(name), text))
}

/// A file that is no TOML is explained as `ficus check` does it.
fn refused(name: &str, text: &str, error: &NotCanonical) -> Exit {
    if matches!(error, NotCanonical::Syntax(_)) {
        let (_, report) = read(&Source::new(name, text), &Context::default());
        eprint!("{}", report.render(screen::colour_on_stderr()));
        return Exit::failed(format!("`{name}` cannot be read; nothing was changed"));
    }
    Exit::failed(format!("`{name}`: {error}"))
}
