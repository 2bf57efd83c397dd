//! `ficus watch`: what happens, a line for each event.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::screen::{self, word};

/// `watch`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus watch
  ficus watch --since 12-0 --json | jq .")]
pub(super) struct Watch {
    /// Go on behind the event with this id
    #[arg(long, value_name = "ID")]
    since: Option<String>,
    /// End after so many events
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u64>,
}

/// How often to come back when the other end is gone, as in an upgrade or a restart.
const AGAIN: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn run(common: &Common, flags: &Watch) -> Done {
    let client = Client::new(common);
    let mut last = flags.since.clone();
    let mut left = flags.limit.unwrap_or(u64::MAX);
    let mut attempts = AGAIN;
    while left > 0 {
        let before = left;
        let read = client.follow("/v1/events", last.clone().as_deref(), |name, id, data| {
            last = Some(id.to_owned());
            left -= 1;
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            // Whoever reads may have gone away.
            show(common.json, name, id, &data) && left > 0
        });
        match read {
            // Nobody was there from the beginning.
            Err(exit) if last.is_none() || attempts == 0 => return Err(exit),
            Err(_) => attempts -= 1,
            Ok(()) if left < before => attempts = AGAIN,
            Ok(()) => attempts = attempts.saturating_sub(1),
        }
        if left > 0 {
            if !screen_is_there() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

fn screen_is_there() -> bool {
    std::io::stdout().flush().is_ok()
}

fn show(json: bool, name: &str, id: &str, data: &Value) -> bool {
    let line = if json {
        json!({ "schema": 1, "event": name, "id": id, "data": data }).to_string()
    } else {
        text(name, data)
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

fn text(name: &str, data: &Value) -> String {
    let when = data["at"].as_str().map(screen::time).unwrap_or_default();
    let what = match name {
        "revision" => revision(data),
        "incident" => screen::bad(&format!(
            "incident {} on {}: {}; {}",
            data["incident"],
            word(&data["route"]),
            word(&data["sentence"]),
            word(&data["action"])
        )),
        "health" => health(data),
        "store" if data["store"]["up"] == true => "store ok".to_owned(),
        "store" => screen::bad(&format!("store cannot be used: {}", word(&data["store"]["error"]))),
        other => other.to_owned(),
    };
    format!("{when:<19}  {what}")
}

fn revision(data: &Value) -> String {
    let changes: Vec<String> = data["routes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|change| format!("{}: {}", word(&change["route"]), screen::moved(change)))
        .collect();
    let what = if changes.is_empty() { word(&data["action"]) } else { changes.join("; ") };
    let why = data["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let by = data["author"].as_str().map(|author| format!(", by {author}")).unwrap_or_default();
    format!("revision {}{by}: {what}{why}", data["revision"])
}

fn health(data: &Value) -> String {
    let backends = data["backends"].as_array().into_iter().flatten();
    let state = |b: &Value| format!("{} {}", word(&b["name"]), if b["up"] == true { "up" } else { "DOWN" });
    let backends: Vec<String> = backends.map(state).collect();
    let ready = if data["ready"] == true { "ready" } else { "NOT ready" };
    format!("{ready}: {}", backends.join(", "))
}
