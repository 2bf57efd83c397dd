//! `ficus fleet`: the nodes that share a store and what each of them runs; and whether a change has come to all of them.

use clap::Args;
use serde_json::Value;

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::screen::{self, word};

/// A change that holds, but not on every node.
const NOT_EVERYWHERE: u8 = 6;

/// `fleet`.
#[derive(Debug, Args)]
#[command(after_help = "\
A node is live as long as it says so every few seconds. A flip waits until every live node runs it.

Examples:
  ficus fleet
  ficus fleet --json --exit-code")]
pub(super) struct Flags {
    /// Exit with 3 unless every node is live, runs the same revision and has nothing to look at
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let answer = Client::new(common).get("/v1/fleet")?;
    let fleet = &answer["fleet"];
    if common.json {
        screen::print_json(&answer);
    } else if fleet.is_null() {
        screen::print("this node is alone: its store is its own (`store.url`)\n");
    } else {
        screen::print(&text(fleet));
    }
    if flags.exit_code && !is_well(fleet) { Err(Exit::silent(3)) } else { Ok(()) }
}

/// Whether there is nothing to look at.
pub(super) fn is_well(fleet: &Value) -> bool {
    let nodes = nodes(fleet);
    let same = nodes.iter().all(|node| {
        node["live"] == true && node["revision"] == nodes[0]["revision"] && node["drift"].is_null()
    });
    same && ["error", "drift"].iter().all(|key| fleet[key].is_null())
        && ["apart", "blind"].iter().all(|key| fleet[key] != true)
}

/// One line for `ficus status`.
pub(super) fn summary(fleet: &Value) -> String {
    let nodes = nodes(fleet);
    let live = nodes.iter().filter(|node| node["live"] == true).count();
    let highest = nodes.iter().filter_map(|node| node["revision"].as_u64()).max().unwrap_or_default();
    let there = nodes.iter().filter(|node| node["live"] == true && node["revision"] == highest).count();
    let gone = nodes.len() - live;
    let gone = if gone == 0 { String::new() } else { format!(", {gone} not heard of") };
    format!("node {}; {there} of {live} live nodes on revision {highest}{gone}", word(&fleet["node"]))
}

/// What somebody has to look at, for `ficus status`.
pub(super) fn alarms(fleet: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(error) = fleet["error"].as_str() {
        let since = screen::since(&word(&fleet["cut_off_since"]), chrono::Utc::now());
        lines.push(format!("! cut off from the fleet since {since}: {error}"));
    }
    if fleet["apart"] == true {
        lines.push("! this node has made changes that the others have not heard of yet".to_owned());
    }
    if fleet["blind"] == true {
        lines.push(
            "! this node remembers nothing and has not heard the fleet: it sends nobody to a candidate"
                .to_owned(),
        );
    }
    lines.extend(fleet["drift"].as_str().map(|drift| format!("! {drift}")));
    lines
}

/// Says how far a change has come.
pub(super) fn report(confirmation: &Value, revision: &Value) -> Done {
    if confirmation.is_null() {
        return Ok(());
    }
    let missing = confirmation["missing"].as_array().into_iter().flatten();
    let missing: Vec<String> = missing.map(missing_line).collect();
    let (there, all) = (confirmation["confirmed"].as_array().map_or(0, Vec::len), &confirmation["nodes"]);
    let seconds = confirmation["took_ms"].as_f64().unwrap_or_default() / 1e3;
    if let Some(why) = confirmation["cut_off"].as_str() {
        eprintln!("{} on this node only, the others cannot be reached: {why}", screen::warning_word());
    } else {
        screen::print(&format!("fleet: revision {revision} on {there} of {all} nodes, {seconds:.1} s\n"));
    }
    for line in missing {
        eprintln!("{} {line}", screen::warning_word());
    }
    everywhere(confirmation)
}

/// The exit code of a change that has not come to all nodes.
pub(super) fn everywhere(confirmation: &Value) -> Done {
    let missing = confirmation["missing"].as_array().is_some_and(|missing| !missing.is_empty());
    if missing || confirmation["cut_off"].is_string() {
        return Err(Exit::silent(NOT_EVERYWHERE));
    }
    Ok(())
}

fn missing_line(node: &Value) -> String {
    let drift = node["drift"].as_str().map(|drift| format!("; {drift}")).unwrap_or_default();
    format!(
        "{} has not confirmed: it runs revision {}, heard {} ago{drift}",
        word(&node["node"]),
        node["revision"],
        age(&node["heard_ms"])
    )
}

fn text(fleet: &Value) -> String {
    let rows: Vec<Vec<String>> = nodes(fleet).iter().map(|node| row(node, &word(&fleet["node"]))).collect();
    let alarms: String = alarms(fleet).into_iter().map(|line| screen::bad(&line) + "\n").collect();
    let table = screen::table(&["NODE", "VERSION", "REVISION", "STATE", "HEARD", "DRIFT"], &rows);
    format!("{alarms}{table}")
}

fn row(node: &Value, own: &str) -> Vec<String> {
    let name = word(&node["name"]);
    let here = if name == own { " (here)" } else { "" };
    vec![
        format!("{name}{here}"),
        word(&node["version"]),
        node["revision"].to_string(),
        if node["live"] == true { "live" } else { "gone" }.to_owned(),
        format!("{} ago", age(&node["heard_ms"])),
        node["drift"].as_str().unwrap_or("-").to_owned(),
    ]
}

fn age(milliseconds: &Value) -> String {
    match milliseconds.as_u64().unwrap_or_default() / 1_000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

fn nodes(fleet: &Value) -> Vec<&Value> {
    fleet["nodes"].as_array().into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fleet(second: &Value) -> Value {
        let first = json!({ "name": "web1", "live": true, "revision": 7, "heard_ms": 12, "drift": null });
        json!({ "node": "web1", "error": null, "drift": null, "apart": false, "nodes": [first, second] })
    }

    #[test]
    fn a_fleet_is_well_when_all_live_nodes_run_the_same() {
        let node = |live: bool, revision: u64, drift: Option<&str>| json!({ "name": "web2", "live": live, "revision": revision, "heard_ms": 130_000, "drift": drift });
        let well = fleet(&node(true, 7, None));
        assert!(is_well(&well));
        assert_eq!(summary(&well), "node web1; 2 of 2 live nodes on revision 7");
        let cases = [node(false, 7, None), node(true, 6, None), node(true, 7, Some("an edit"))];
        for second in cases {
            assert!(!is_well(&fleet(&second)), "{second}");
        }
        let gone = fleet(&node(false, 6, None));
        assert_eq!(summary(&gone), "node web1; 1 of 1 live nodes on revision 7, 1 not heard of");
        assert_eq!(age(&json!(130_000)), "2 min");
    }

    #[test]
    fn a_change_that_is_not_everywhere_ends_with_a_code_of_its_own() {
        let missing = json!([{ "node": "web2", "revision": 6, "heard_ms": 900 }]);
        let code = |confirmation: Value| everywhere(&confirmation).map_err(|exit| exit.code());
        assert_eq!(code(Value::Null), Ok(()));
        assert_eq!(code(json!({ "missing": [], "cut_off": null })), Ok(()));
        assert_eq!(code(json!({ "missing": missing, "cut_off": null })), Err(NOT_EVERYWHERE));
        assert_eq!(code(json!({ "missing": [], "cut_off": "it is away" })), Err(NOT_EVERYWHERE));
    }
}
