//! `ficus record`: users' traffic of some routes, masked, as sessions that `ficus replay` plays.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::screen;
use crate::shadow::corpus::words;

/// Beginning and ending wait for the disk, and the programs are asked what they are.
const PATIENCE: Duration = Duration::from_secs(40);

/// `record`.
#[derive(Debug, Args)]
#[command(after_help = "\
Off unless somebody begins it, and it ends by itself: by time, number or size, with the process, or when the disk refuses. \
Users wait for nothing. What is written is masked before: no password, cookie, token or word of a user is on disk. Name the \
routes of whole journeys, with the pages that show a form and the login.

Examples:
  ficus record start 'customers.*' 'auth.*' --for 30m --vocabulary crm/templates --reason CRM-812
  ficus record start '*' --sample 10% --limit 5000
  ficus record status
  ficus record stop")]
pub(super) struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Begin; `ficus record stop` ends it
    Start(Start),
    /// Show what is recorded, what is not and why, or the last recording
    Status,
    /// End it
    Stop {
        /// Why; goes into the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Start {
    /// Names of routes, beginnings of names as `customers.*`, or `*`
    #[arg(required = true, value_name = "ROUTE")]
    names: Vec<String>,
    /// How long, at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "10m")]
    lasts: String,
    /// Most requests
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u64,
    /// Most bytes on disk
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    bytes: String,
    /// The share of visitors; each with all of their requests
    #[arg(long, value_name = "SHARE", default_value = "100%")]
    sample: String,
    /// Words that are the application's own and stay readable: a file, or a folder such as its templates
    #[arg(long, value_name = "PATH")]
    vocabulary: Option<PathBuf>,
    /// Why; goes into the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let client = Client::new(common).patient(PATIENCE);
    let (answer, did) = match &flags.action {
        Action::Start(start) => (begin(&client, start)?, "begun"),
        Action::Status => (client.get("/v1/recording")?, ""),
        Action::Stop { reason } => {
            (client.post("/v1/recording/stop", &json!({ "reason": reason }))?, "ended")
        }
    };
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    screen::print(&text(&answer["recording"], did));
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        eprintln!("{} {warning}", screen::warning_word());
    }
    Ok(())
}

fn begin(client: &Client, start: &Start) -> Result<Value, Exit> {
    let vocabulary = match &start.vocabulary {
        Some(path) => {
            words(path).map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", path.display())))?
        }
        None => std::collections::BTreeSet::default(),
    };
    client.post(
        "/v1/recording/start",
        &json!({
            "routes": start.names,
            "lasts": start.lasts,
            "limit": start.limit,
            "bytes": start.bytes,
            "sample": start.sample,
            "words": vocabulary,
            "reason": start.reason,
        }),
    )
}

fn text(recording: &Value, did: &str) -> String {
    if recording.is_null() {
        return "nothing was ever recorded: `ficus record start ROUTE` begins\n".to_owned();
    }
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let routes: Vec<String> = recording["routes"].as_array().into_iter().flatten().map(word).collect();
    let time = |key: &str| screen::time(&word(&recording[key]));
    let state = match (&recording["ended"], recording["on"] == true) {
        (Value::Null, true) => {
            format!("goes on since {}, until {} at the latest", time("started"), time("until"))
        }
        (Value::Null, false) => format!("began at {}", time("started")),
        (ended, _) => format!("ended at {}: {}", screen::time(&word(&ended["at"])), word(&ended["why"])),
    };
    let mut text = format!("recording of {}: {state}\n", routes.join(", "));
    text.push_str(&format!("  folder    {}\n", word(&recording["folder"])));
    text.push_str(&format!(
        "  recorded  {} requests of {} visitors, {} bytes\n",
        recording["requests"], recording["sessions"], recording["bytes"]
    ));
    let dropped: Vec<String> = recording["dropped"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    text.push_str(&format!(
        "  not       {}\n",
        if dropped.is_empty() { "none".to_owned() } else { dropped.join(", ") }
    ));
    match did {
        "begun" => text.push_str("undo: ficus record stop\n"),
        _ if recording["on"] == true => text.push_str("`ficus record stop` ends it\n"),
        _ => text
            .push_str(&format!("play it: ficus replay {} --against BACKEND\n", word(&recording["folder"]))),
    }
    text
}
