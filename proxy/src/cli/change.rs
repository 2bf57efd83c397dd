//! The commands that change the routing: what would change is shown, a person is asked where it is due, and what changed is
//! told with the way back.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::change_flags::{Apply, Canary, Flip, Hold, Manner, Resume, Rollback, Undo};
use super::client::Client;
use super::exit::Exit;
use super::screen::word;
use super::{offline_rollback, screen};

pub(super) fn flip(common: &Common, flags: &Flip) -> Done {
    let question = json!({ "route": flags.route, "to": flags.to, "canary": flags.canary });
    change(common, ("/v1/flip", question), &flags.manner, &flags.route)
}

pub(super) fn canary(common: &Common, flags: &Canary) -> Done {
    let list = |text: &Option<String>| {
        let items = text.as_ref()?.split(',').map(str::trim).filter(|item| !item.is_empty());
        Some(items.map(str::to_owned).collect::<Vec<String>>())
    };
    let question = json!({
        "route": flags.route,
        "percent": flags.share,
        "users": list(&flags.users),
        "roles": list(&flags.roles),
        "networks": list(&flags.networks),
        "testers": flags.testers.as_ref().map(|word| word == "on"),
        "group": flags.group,
    });
    change(common, ("/v1/canary", question), &flags.manner, &flags.route)
}

pub(super) fn resume(common: &Common, flags: &Resume) -> Done {
    change(common, ("/v1/resume", json!({ "route": flags.route })), &flags.manner, &flags.route)
}

pub(super) fn undo(common: &Common, flags: &Undo) -> Done {
    // Named, the change that is taken back stays the same one, also if this is sent twice.
    let revision = match flags.revision {
        Some(revision) => Some(revision),
        None => Client::new(common).get("/v1/status")?["revision"].as_u64(),
    };
    let question = json!({ "revision": revision, "force": flags.force });
    let what = flags.revision.map_or_else(|| "undo".to_owned(), |revision| format!("undo {revision}"));
    change(common, ("/v1/undo", question), &flags.manner, &what)
}

pub(super) fn apply(common: &Common, flags: &Apply) -> Done {
    let name = flags.file.display().to_string();
    let cannot = |error: std::io::Error| Exit::failed(format!("cannot read `{name}`: {error}"));
    let text = if flags.file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(cannot)?;
        text
    } else {
        std::fs::read_to_string(&flags.file).map_err(cannot)?
    };
    change(common, ("/v1/apply", json!({ "text": text, "name": name })), &flags.manner, &name)
}

pub(super) fn hold(common: &Common, flags: &Hold) -> Done {
    let question = json!({
        "route": flags.route,
        "lasts": flags.lasts,
        "reason": flags.reason,
        "based_on": flags.if_revision,
        "wait": flags.fleet.wait,
    });
    let client = Client::new(common).waiting(flags.fleet.wait.as_deref());
    let answer = client.post("/v1/hold", &question)?;
    report(common, &answer, &flags.route)
}

pub(super) fn rollback(common: &Common, flags: &Rollback) -> Done {
    let what = flags.route.clone().unwrap_or_else(|| "every route".to_owned());
    let answer = if flags.offline {
        offline_rollback::run(common, flags)?
    } else {
        let question = json!({
            "route": flags.route,
            "lasts": flags.lasts,
            "reason": flags.reason,
            "wait": flags.fleet.wait,
        });
        Client::new(common).waiting(flags.fleet.wait.as_deref()).post("/v1/rollback", &question)?
    };
    let done = report(common, &answer, &what);
    if flags.offline && !common.json {
        eprintln!("a running ficus sees this within two seconds; one that hangs has to be restarted");
    }
    done
}

/// Asks if it is due, and makes the change on what was shown.
fn change(common: &Common, (path, question): (&str, Value), manner: &Manner, what: &str) -> Done {
    let wait = manner.fleet.wait.as_deref();
    let client = Client::new(common).waiting(wait);
    let mut question = question;
    question["wait"] = json!(wait);
    question["reason"] = json!(manner.reason);
    question["based_on"] = json!(manner.if_revision);
    if manner.dry_run || !manner.yes {
        question["dry_run"] = json!(true);
        let preview = client.post(path, &question)?;
        if manner.dry_run {
            show(common, &preview, what);
            return Ok(());
        }
        if preview["ask"] == true {
            consent(&preview, manner)?;
            // The answer counts for what was shown.
            question["based_on"] = preview["revision"].clone();
        }
        question["dry_run"] = json!(false);
    }
    let answer = client.post(path, &question)?;
    report(common, &answer, what)
}

/// A person says yes at a terminal; everybody else has to say so beforehand.
pub(super) fn consent(preview: &Value, manner: &Manner) -> Done {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let lines = change_lines(preview);
    if manner.no_input || !terminal {
        let message = format!(
            "{}: this needs a yes, and there is nobody to ask; run `{} --yes`",
            lines.join("; "),
            own_command()
        );
        return Err(Exit::usage(message));
    }
    eprint!("{}\nApply? [y/N] ", lines.join("\n"));
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Exit::failed("nothing was changed")) }
}

/// The command as it was typed, to be typed again.
fn own_command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=%:,@+".contains(c);
    let quoted = |word: String| match word.chars().all(plain) && !word.is_empty() {
        true => word,
        false => format!("'{}'", word.replace('\'', "'\\''")),
    };
    let words = std::env::args().skip(1).filter(|word| word != "--no-input").map(quoted);
    std::iter::once("ficus".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

pub(super) fn change_lines(answer: &Value) -> Vec<String> {
    let changes = answer["changes"].as_array().into_iter().flatten();
    changes.map(|change| format!("{}: {}", word(&change["route"]), screen::moved(change))).collect()
}

/// What would change.
pub(super) fn show(common: &Common, preview: &Value, what: &str) {
    if common.json {
        screen::print_json(preview);
        return;
    }
    let lines = change_lines(preview);
    if lines.is_empty() {
        screen::print(&format!("{what}: no route would be answered by somebody else\n"));
    } else {
        screen::print(&format!("{}\n", lines.join("\n")));
    }
    screen::print(&word(&preview["diff"]));
    screen::print(&format!("nothing was changed (revision {})\n", preview["revision"]));
}

/// What was and is, and the way back.
pub(super) fn report(common: &Common, answer: &Value, what: &str) -> Done {
    if common.json {
        screen::print_json(answer);
        return super::fleet::everywhere(&answer["fleet"]);
    }
    let revision = &answer["revision"];
    let list =
        |key: &str| -> Vec<String> { answer[key].as_array().into_iter().flatten().map(word).collect() };
    let (held, resumed) = (list("held"), list("resumed"));
    let lines = change_lines(answer);
    if lines.is_empty() && answer["undo"].is_null() {
        screen::print(&format!("{what}: nothing to change (revision {revision})\n"));
    } else if lines.is_empty() && held.is_empty() && resumed.is_empty() {
        screen::print(&format!("{what}: done, no route moved (revision {revision})\n"));
    }
    for line in lines {
        screen::print(&format!("{line} (revision {revision})\n"));
    }
    for route in &held {
        screen::print(&format!(
            "held: {route} gets no more traffic for its candidate until `ficus resume {route}` (revision {revision})\n"
        ));
    }
    for route in &resumed {
        screen::print(&format!("resumed: {route} (revision {revision})\n"));
    }
    if let Some(undo) = answer["undo"].as_str() {
        let undo = match held.as_slice() {
            [] => undo.to_owned(),
            [route] if !undo.starts_with("ficus resume") => format!("ficus resume {route} && {undo}"),
            [_] => undo.to_owned(),
            _ => format!("ficus resume each of them, then {undo}"),
        };
        screen::print(&format!("undo: {undo}\n"));
    }
    for warning in list("warnings") {
        eprintln!("{} {warning}", screen::warning_word());
    }
    if answer["overridden"] == true {
        eprintln!(
            "{} the file still says something else: this rollback lies over it, also after a restart, until the file \
             says the same, the route is flipped or resumed",
            screen::warning_word()
        );
    }
    super::fleet::report(&answer["fleet"], revision)
}
