//! `ficus capsule`: a stored mismatch as a folder that runs as a test of the handler in Rust and as a pytest against Flask.
//!
//! The folder is written here (`files` holds its texts); `check` asks, or takes an answer, and compares it with what was stored,
//! by meaning and under the rules of the folder. Tests call that command, so that they need nothing of Ficus' insides.

mod check;
mod files;

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::screen;
use crate::shadow::corpus::{Manifest, VOCABULARY};

/// The request, and what the fallback answered.
const EXCHANGE: &str = "exchange.http";
/// What else is known.
const FACTS: &str = "capsule.json";
/// The rules.
const ROUTES: &str = "routes.toml";

/// `capsule`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
The folder holds the request and both answers, masked, the rules, a Rust test and a pytest; its README.md says how they are \
run. They need the data that the answers were made of, and the same `flask.secret_key`.

Exit codes of `check`: 0 the answer means the same, 3 it differs, 1 it could not be tried.

Examples:
  ficus capsule 31
  ficus capsule 31 --output tests/capsules/31
  ficus capsule check capsule-31 --against unix:/run/ficus/handlers.sock"
)]
pub(super) struct Flags {
    /// The number of a group of differences, as `ficus diffs` lists them
    #[arg(value_name = "DIFF", required = true)]
    diff: Option<i64>,
    /// The folder to make [default: capsule-DIFF]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Ask a handler or an application, or take an answer, and compare it with the stored one
    Check(check::Check),
    /// Print the request as it is sent, with a session, as JSON
    Request(check::Request),
}

/// What a capsule knows about itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Facts {
    schema: u32,
    diff: i64,
    route: String,
    signature: String,
    /// Name and kind of the backend that is right: a release, or `rust`.
    reference: (String, String),
    /// The same of the one that differed.
    candidate: (String, String),
    /// The release that is followed.
    profile: String,
    host: Option<String>,
    revision: u64,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    match (&flags.action, flags.diff) {
        (Some(Action::Check(check)), _) => check::check(common, check),
        (Some(Action::Request(request)), _) => check::request(common, request),
        (None, Some(diff)) => make(common, diff, flags.output.as_deref()),
        (None, None) => Err(Exit::usage("which difference? `ficus diffs` lists them")),
    }
}

fn make(common: &Common, diff: i64, output: Option<&Path>) -> Done {
    let answer = Client::new(common).get(&format!("/v1/diffs/{diff}/case"))?;
    let folder = output.map_or_else(|| PathBuf::from(format!("capsule-{diff}")), Path::to_path_buf);
    write(&folder, diff, &answer)
        .map_err(|error| Exit::failed(format!("cannot write `{}`: {error}", folder.display())))?;
    if common.json {
        let folder = folder.display().to_string();
        screen::print_json(&serde_json::json!({ "schema": 1, "diff": diff, "folder": folder }));
    } else {
        screen::print(&format!(
            "{folder}: the request, both answers, the rules, tests/capsule.rs and test_capsule.py; see README.md\n\
             undo: rm -r {folder}\n",
            folder = folder.display()
        ));
    }
    Ok(())
}

fn write(folder: &Path, diff: i64, answer: &Value) -> std::io::Result<()> {
    let (case, word) = (&answer["case"], |value: &Value| value.as_str().unwrap_or_default().to_owned());
    let side = |name: &str| (word(&case[name]["backend"]), word(&case[name]["is"]));
    let facts = Facts {
        schema: 1,
        diff,
        route: word(&answer["group"]["route"]),
        signature: word(&answer["group"]["signature"]),
        reference: side("reference"),
        candidate: side("candidate"),
        profile: word(&case["profile"]),
        host: case["host"].as_str().map(str::to_owned),
        revision: case["revision"].as_u64().unwrap_or_default(),
    };
    let at: chrono::DateTime<chrono::Utc> = word(&case["at"]).parse().unwrap_or_default();
    let manifest = Manifest {
        schema: 1,
        started: at,
        until: at,
        routes: vec![facts.route.clone()],
        host: facts.host.clone(),
        key: word(&case["key"]),
        programs: serde_json::from_value(case["programs"].clone()).unwrap_or_default(),
        requests: 1,
        sessions: 1,
        ..Manifest::default()
    };
    let words: Vec<String> = answer["words"].as_array().into_iter().flatten().map(word).collect();
    let mut make = DirBuilder::new();
    make.mode(0o700).create(folder)?;
    make.create(folder.join("tests"))?;
    make.create(folder.join("src"))?;
    manifest.write(folder)?;
    let put = |name: &str, text: &str| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
        file.write_all(text.as_bytes())
    };
    put(EXCHANGE, &word(&case["reference"]["text"]))?;
    put("candidate.txt", &word(&case["candidate"]["text"]))?;
    put(FACTS, &(serde_json::to_string_pretty(&facts)? + "\n"))?;
    put(ROUTES, &word(&answer["routes"]))?;
    put(VOCABULARY, &(words.join("\n") + "\n"))?;
    put("README.md", &files::readme(&facts))?;
    put("Cargo.toml", &files::cargo(diff))?;
    put("src/lib.rs", "//! Nothing is here: the test is in `tests/capsule.rs`.\n")?;
    put("tests/capsule.rs", files::RUST)?;
    put("test_capsule.py", files::PYTHON)
}
