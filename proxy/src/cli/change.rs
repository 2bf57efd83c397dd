//! `ficus flip` and `ficus rollback`.

use std::io::{BufRead, IsTerminal, Write};

use serde_json::{Value, json};

use crate::admin::Problem;
use crate::control::{Change, Control, Edit};

use super::Done;
use super::arguments::{Common, Flip, Rollback};
use super::client::Client;
use super::exit::Exit;
use super::{offline, screen};

pub(super) fn flip(common: &Common, flags: &Flip) -> Done {
    let client = Client::new(common);
    let mut based_on = flags.if_revision;
    if !flags.yes && std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        based_on = ask(&client, flags)?.or(based_on);
    }
    let answer = client.post(
        "/v1/flip",
        &json!({
            "route": flags.route,
            "to": flags.to,
            "canary": flags.canary,
            "reason": flags.reason,
            "based_on": based_on,
        }),
    )?;
    report(common, &answer, &flags.route);
    Ok(())
}

/// Shows what would change and asks; the answer counts for the revision that was shown. The safe direction is never
/// asked about.
fn ask(client: &Client, flags: &Flip) -> Result<Option<u64>, Exit> {
    let answer = client.get("/v1/routes")?;
    let route =
        answer["routes"].as_array().into_iter().flatten().find(|route| route["name"] == flags.route.as_str());
    let Some(route) = route.filter(|route| route["fallback"] != flags.to.as_str()) else {
        return Ok(None);
    };
    let after = match &flags.canary {
        Some(share) => format!("{}, {share} {}", route["fallback"].as_str().unwrap_or_default(), flags.to),
        None => flags.to.clone(),
    };
    let before = route["standing"].as_str().unwrap_or_default();
    eprint!("{}: {before} -> {after}. Apply? [y/N] ", flags.route);
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    if matches!(line.trim(), "y" | "Y" | "yes") {
        Ok(answer["revision"].as_u64())
    } else {
        Err(Exit::failed("nothing was changed"))
    }
}

pub(super) fn rollback(common: &Common, flags: &Rollback) -> Done {
    let what = flags.route.clone().unwrap_or_else(|| "every route".to_owned());
    let answer = if flags.offline {
        rollback_offline(common, flags)?
    } else {
        let question = json!({ "route": flags.route, "reason": flags.reason });
        Client::new(common).post("/v1/rollback", &question)?
    };
    report(common, &answer, &what);
    if flags.offline && !common.json {
        eprintln!("a running ficus sees this within two seconds; one that hangs has to be restarted");
    }
    Ok(())
}

/// The same change by this process, on the files. A ficus that still watches takes it over.
fn rollback_offline(common: &Common, flags: &Rollback) -> Result<Value, Exit> {
    let settings = offline::settings(common)?;
    let control = Control::start(&settings).map_err(|error| Exit::failed(error.to_string()))?;
    let author = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten();
    let change = Change {
        author: author.map_or_else(|| "unknown".to_owned(), |user| user.name),
        reason: flags.reason.clone(),
        based_on: None,
        edit: Edit::Rollback { route: flags.route.clone() },
    };
    let applied = control.apply(&change).map_err(|refused| Exit::refused(Problem::from(refused)))?;
    let mut answer = serde_json::to_value(applied).map_err(|error| Exit::failed(error.to_string()))?;
    answer["schema"] = json!(1);
    Ok(answer)
}

/// What was and is, and the way back.
fn report(common: &Common, answer: &Value, what: &str) {
    if common.json {
        screen::print_json(answer);
        return;
    }
    let revision = &answer["revision"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let changes: Vec<&Value> = answer["changes"].as_array().into_iter().flatten().collect();
    if changes.is_empty() {
        screen::print(&format!("{what}: nothing to change (revision {revision})\n"));
    }
    for change in changes {
        let (before, after) = (word(&change["before"]), word(&change["after"]));
        screen::print(&format!("{}: {before} -> {after} (revision {revision})\n", word(&change["route"])));
        screen::print(&format!("undo: {}\n", word(&change["undo"])));
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        eprintln!("{} {}", screen::warning_word(), word(warning));
    }
    if answer["overridden"] == true {
        eprintln!(
            "{} the file still says something else: this rollback lies over it, also after a restart, until the file \
             says the same or the route is flipped",
            screen::warning_word()
        );
    }
}
