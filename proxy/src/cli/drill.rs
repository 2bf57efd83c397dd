//! `ficus drill`: rehearses a rollback, and shows the rehearsals of the past.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::{Client, query};
use super::exit::Exit;
use super::screen;

/// A journey of many requests takes a while.
const PATIENCE: Duration = Duration::from_secs(600);

/// `drill`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everybody else stays where they are: the test identity has a tester's token. It asks for a path again and again, goes to the \
candidate and back, and the time of both ways is measured. A journey is a file of request lines (`GET /path`, `POST /path \
a=b&csrf_token={csrf_token}`, `GET {location}`), with header lines such as `Cookie: session=…` before the first: it writes \
through the candidate, and what it reads is read from both sides and compared.

Examples:
  ficus drill customers.list
  ficus drill customers.detail --path /customers/7
  ficus drill customers.new.post --path /customers/new --journey new-customer.txt
  ficus drill customers.list --list")]
pub(super) struct Drill {
    /// The route
    route: String,
    /// A path of the route that may be asked for again and again; else its rule, if that has no variables
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The Host header
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    host: String,
    /// What is written and read back; `-`: standard input
    #[arg(long, value_name = "FILE")]
    journey: Option<PathBuf>,
    /// Show the rehearsals of the past, newest first
    #[arg(long, conflicts_with_all = ["path", "journey"])]
    list: bool,
}

pub(super) fn run(common: &Common, flags: &Drill) -> Done {
    if flags.list {
        return list(common, flags);
    }
    let journey = flags.journey.as_deref().map(read).transpose()?;
    let question =
        json!({ "route": flags.route, "path": flags.path, "host": flags.host, "journey": journey });
    let answer = Client::new(common).patient(PATIENCE).post("/v1/drill", &question)?;
    if common.json {
        screen::print_json(&answer);
    } else {
        screen::print(&text(&answer));
    }
    if answer["passed"] == true { Ok(()) } else { Err(Exit::silent(1)) }
}

fn read(path: &Path) -> Result<String, Exit> {
    let cannot = |error: std::io::Error| Exit::failed(format!("cannot read `{}`: {error}", path.display()));
    if path != Path::new("-") {
        return std::fs::read_to_string(path).map_err(cannot);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

fn list(common: &Common, flags: &Drill) -> Done {
    let path = format!("/v1/drills{}", query(&[("route", Some(flags.route.clone()))]));
    let answer = Client::new(common).get(&path)?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let drills = answer["drills"].as_array();
    let rows: Vec<Vec<String>> = drills.into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        screen::print(&format!("{}: no rollback was rehearsed\n", flags.route));
    } else {
        screen::print(&screen::table(&["DRILL", "WHEN", "BY", "THERE", "BACK", "RESULT"], &rows));
    }
    Ok(())
}

fn row(drill: &Value) -> Vec<String> {
    let failures = drill["failures"].as_array();
    let result = failures.and_then(|all| all.first()).map_or("passed", word);
    vec![
        drill["number"].to_string(),
        screen::time(word(&drill["at"])),
        word(&drill["author"]).to_owned(),
        time(&drill["to_candidate_ms"]),
        time(&drill["back_ms"]),
        result.to_owned(),
    ]
}

fn text(answer: &Value) -> String {
    let drill = &answer["drill"];
    let passed = answer["passed"] == true;
    let result = if passed { "passed".to_owned() } else { screen::bad("failed") };
    let mut lines = vec![
        format!("{}: drill {} {result}", word(&drill["route"]), drill["number"]),
        format!("  there     {} (by {})", time(&drill["to_candidate_ms"]), word(&drill["by"])),
        format!("  back      {}", time(&drill["back_ms"])),
        format!("  requests  {}, failed {}", drill["requests"], drill["errors"]),
    ];
    if drill["writes"] != 0 || drill["reads"] != 0 {
        lines.push(format!(
            "  journey   {} writes through the candidate, {} reads compared, {} different",
            drill["writes"], drill["reads"], drill["different"]
        ));
    }
    let failures = drill["failures"].as_array().into_iter().flatten();
    lines.extend(failures.map(|failure| screen::bad(&format!("! {}", word(failure)))));
    if let Some(error) = answer["unstored"].as_str() {
        lines.push(screen::bad(&format!("! this result is not stored, so no gate knows it: {error}")));
    }
    lines.join("\n") + "\n"
}

fn time(milliseconds: &Value) -> String {
    milliseconds.as_f64().map_or("-".to_owned(), |time| format!("{time:.1} ms"))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
