//! `ficus status`: what runs and how it is; what needs somebody comes first.

use chrono::Utc;
use serde_json::Value;

use super::Done;
use super::arguments::{Common, Status};
use super::client::Client;
use super::exit::Exit;
use super::screen::{self, word};

pub(super) fn run(common: &Common, flags: &Status) -> Done {
    let answer = Client::new(common).get("/v1/status")?;
    if common.json {
        screen::print_json(&answer);
    } else {
        screen::print(&text(&answer));
    }
    let healthy = answer["ready"] == true
        && answer["file"]["ok"] != false
        && answer["drift"].as_array().is_none_or(Vec::is_empty)
        && super::fleet::alarms(&answer["fleet"]).is_empty();
    if flags.exit_code && !healthy { Err(Exit::silent(3)) } else { Ok(()) }
}

fn text(answer: &Value) -> String {
    let mut lines = alarms(answer);
    let ready = if answer["ready"] == true {
        "ready".to_owned()
    } else {
        format!("not ready: {}", word(&answer["unready_because"]))
    };
    let up = screen::since(&word(&answer["started"]), Utc::now());
    lines.push(format!("ficus     {}, {ready}, up {up}", word(&answer["version"])));
    lines.push(format!("revision  {}", revision(answer)));
    lines.push(format!("routes    {}", routes(answer)));
    lines.push(format!("file      {}", file(answer)));
    lines.push(format!("store     {}", store(answer)));
    if answer["fleet"].is_object() {
        lines.push(format!("fleet     {}", super::fleet::summary(&answer["fleet"])));
    }
    let recording = &answer["recording"];
    if recording.is_object() {
        let until = screen::time(&word(&recording["until"]));
        let requests = &recording["requests"];
        lines.push(format!(
            "recording {requests} requests so far, until {until}: `ficus record stop` ends it"
        ));
    }
    for hold in answer["holds"].as_array().into_iter().flatten() {
        let why = hold["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        lines.push(format!(
            "held      {}, by {} at {}{}{why}: `ficus resume {}` ends it",
            word(&hold["route"]),
            word(&hold["author"]),
            screen::time(&word(&hold["since"])),
            until(hold),
            word(&hold["route"])
        ));
    }
    let rows: Vec<Vec<String>> = answer["backends"].as_array().into_iter().flatten().map(backend).collect();
    format!(
        "{}\n\n{}",
        lines.join("\n"),
        screen::table(&["BACKEND", "STATE", "IN FLIGHT", "UPSTREAMS"], &rows)
    )
}

/// What somebody has to look at.
fn alarms(answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for notice in answer["notices"].as_array().into_iter().flatten() {
        lines.push(screen::bad(&format!("! {}", word(notice))));
    }
    lines.extend(super::fleet::alarms(&answer["fleet"]).iter().map(|line| screen::bad(line)));
    let file = &answer["file"];
    if file["ok"] == false {
        let since = screen::since(&word(&file["failed_at"]), Utc::now());
        lines.push(screen::bad(&format!(
            "! {}, since {since}; the routes of revision {} run on",
            word(&file["message"]),
            answer["revision"]
        )));
        for finding in file["findings"].as_array().into_iter().flatten() {
            lines.push(format!(
                "  {}:{}:{}: {}: {}",
                word(&finding["file"]),
                finding["line"],
                finding["column"],
                word(&finding["severity"]),
                word(&finding["message"])
            ));
        }
    }
    for drift in answer["drift"].as_array().into_iter().flatten() {
        let line = format!(
            "! {}: the file says {}, running is {}: laid over the file by {} at {}{}",
            word(&drift["route"]),
            word(&drift["file"]),
            word(&drift["running"]),
            word(&drift["author"]),
            screen::time(&word(&drift["since"])),
            until(drift)
        );
        lines.push(screen::bad(&line));
    }
    for test in answer["self_tests_failed"].as_array().into_iter().flatten() {
        let (route, why) = (word(&test["route"]), word(&test["why"]));
        lines.push(screen::bad(&format!("! comparing {route} does not work, it has no evidence: {why}")));
    }
    for backend in
        answer["backends"].as_array().into_iter().flatten().filter(|backend| backend["up"] == false)
    {
        lines.push(screen::bad(&format!("! backend {} cannot be reached", word(&backend["name"]))));
    }
    lines.extend(answer["backends"].as_array().into_iter().flatten().flat_map(parted));
    lines
}

/// How long something lasts.
fn until(item: &Value) -> String {
    match (item["expires"].as_str(), item["overdue"] == true) {
        (Some(at), false) => format!(", until {}", screen::time(at)),
        (Some(at), true) => format!(", until {}: over, but the route is held", screen::time(at)),
        (None, _) => String::new(),
    }
}

/// Upstreams that get no requests while others of the same backend do.
fn parted(backend: &Value) -> Vec<String> {
    let upstreams = backend["upstreams"].as_array().into_iter().flatten();
    let out = upstreams.filter(|upstream| backend["up"] == true && upstream["up"] == false);
    let line = |upstream: &Value| {
        let (address, state) = (word(&upstream["address"]), word(&upstream["state"]));
        screen::bad(&format!("! {address} of backend {} gets no requests: {state}", word(&backend["name"])))
    };
    out.map(line).collect()
}

fn revision(answer: &Value) -> String {
    let last = &answer["last"];
    if last.is_null() {
        return answer["revision"].to_string();
    }
    let changes: Vec<String> = last["routes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|change| format!("{}: {}", word(&change["route"]), screen::moved(change)))
        .collect();
    let what = match changes.len() {
        0 => word(&last["action"]),
        1..=3 => changes.join("; "),
        n => format!("{n} routes changed"),
    };
    let why = last["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let when = screen::time(&word(&last["at"]));
    format!("{}, by {} at {when}: {what}{why}", answer["revision"], word(&last["author"]))
}

fn routes(answer: &Value) -> String {
    let by: Vec<String> = answer["routes_by_serve"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(serve, count)| format!("{count} {serve}"))
        .collect();
    let split = if by.is_empty() { String::new() } else { format!(" ({})", by.join(", ")) };
    format!("{}{split}; what no route matches goes to {}", answer["routes"], word(&answer["default"]))
}

fn file(answer: &Value) -> String {
    let file = &answer["file"];
    if file.is_null() {
        return "none, everything goes to legacy".to_owned();
    }
    let warnings = file["findings"].as_array().map(Vec::len).unwrap_or_default();
    match (file["ok"] == true, warnings) {
        (false, _) => format!("{}, bad", word(&file["path"])),
        (true, 0) => word(&file["path"]),
        (true, 1) => format!("{}, 1 warning: `ficus check` shows it", word(&file["path"])),
        (true, n) => format!("{}, {n} warnings: `ficus check` shows them", word(&file["path"])),
    }
}

fn store(answer: &Value) -> String {
    let store = &answer["store"];
    let pending = store["pending"].as_u64().unwrap_or_default();
    if let Some(trouble) = store["audit"].as_str() {
        return format!("{trouble}; {pending} records wait");
    }
    match (store["up"] == true, pending) {
        (true, 0) => "ok".to_owned(),
        (true, n) => format!("ok, {n} records on their way"),
        (false, n) => format!("cannot be used: {}; {n} records wait in the journal", word(&store["error"])),
    }
}

fn backend(backend: &Value) -> Vec<String> {
    let upstreams: Vec<String> = backend["upstreams"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|upstream| {
            let state = match (word(&upstream["state"]).as_str(), upstream["cause"].as_str()) {
                ("up", _) => String::new(),
                (state, Some(cause)) => format!(" ({state}: {cause})"),
                (state, None) => format!(" ({state})"),
            };
            format!("{}{state}", word(&upstream["address"]))
        })
        .collect();
    vec![
        word(&backend["name"]),
        if backend["up"] == true { "up" } else { "down" }.to_owned(),
        match backend["queued"].as_u64() {
            None | Some(0) => backend["in_flight"].to_string(),
            Some(queued) => format!("{}, {queued} waiting", backend["in_flight"]),
        },
        upstreams.join(", "),
    ]
}
