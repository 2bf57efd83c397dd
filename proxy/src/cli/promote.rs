//! `ficus promote`, `ficus gate`, `ficus approve`: one step up, what it needs, and who agrees.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::change::{consent, report, show};
use super::change_flags::Manner;
use super::client::{Client, query};
use super::exit::Exit;
use super::screen;

/// `promote`.
#[derive(Debug, Args)]
#[command(after_help = "\
The steps are those of the route's plan: shadow, 1%, 5%, 25%, 50%, 100%, and its candidate. What does not hold is told in one \
sentence for each condition; the exit code is 3 then. --skip-gates needs the name of the route once more, typed or as \
--confirm, and is marked in the audit.

Examples:
  ficus promote customers.list --dry-run
  ficus promote customers.list --reason CRM-812
  ficus promote customers.list --skip-gates --confirm customers.list --reason 'no traffic at night'")]
pub(super) struct Promote {
    /// The route
    route: String,
    /// Whatever the gate says
    #[arg(long)]
    skip_gates: bool,
    /// The name of the route once more, in place of typing it
    #[arg(long, value_name = "ROUTE", requires = "skip_gates")]
    confirm: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

/// `gate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus gate customers.list
  ficus gate customers.list --exit-code && ficus promote customers.list --yes")]
pub(super) struct Gate {
    /// The route
    route: String,
    /// Exit with 3 unless every condition holds
    #[arg(long)]
    exit_code: bool,
}

/// `approve`.
#[derive(Debug, Args)]
#[command(after_help = "\
An approval is for the next step of the route as it is now. It ends when the route or its certificate changes; whoever made \
the last change, or promotes, does not count.

Examples:
  ficus approve customers.list --reason 'looked at the diffs'
  ficus approve customers.list --step 5%")]
pub(super) struct Approve {
    /// The route
    route: String,
    /// Refuse unless this is the next step
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// Why; goes into the history and the audit
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

pub(super) fn promote(common: &Common, flags: &Promote) -> Done {
    let (client, manner) = (Client::new(common), &flags.manner);
    let mut question = json!({
        "route": flags.route,
        "reason": manner.reason,
        "based_on": manner.if_revision,
        "dry_run": true,
    });
    let preview = client.post("/v1/promote", &question)?;
    let gate = &preview["gate"];
    let passes = gate["holds"] == true || (flags.skip_gates && !gate["next"].is_null());
    if manner.dry_run {
        if !common.json {
            screen::print(&text(gate));
        }
        show(common, &preview, &flags.route);
        return if passes { Ok(()) } else { Err(Exit::silent(3)) };
    }
    if !passes && !gate["next"].is_null() {
        match common.json {
            true => screen::print_json(&preview),
            false => screen::print(&text(gate)),
        }
        return Err(Exit::refusal("nothing was changed: the gate of the next step does not hold"));
    }
    if flags.skip_gates {
        confirm(flags, gate)?;
        question["skip_gates"] = json!(flags.route);
    } else if preview["ask"] == true && !manner.yes {
        consent(&preview, manner)?;
    }
    question["dry_run"] = json!(false);
    if manner.if_revision.is_none() {
        // The answer counts for what was shown.
        question["based_on"] = gate["revision"].clone();
    }
    let answer = client.post("/v1/promote", &question)?;
    report(common, &answer, &flags.route)
}

/// Gates are skipped by whoever names the route once more.
fn confirm(flags: &Promote, gate: &Value) -> Done {
    let route = &flags.route;
    let given = match &flags.confirm {
        Some(name) => name.clone(),
        None => {
            let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
            if flags.manner.no_input || !terminal {
                let message =
                    format!("skipping the gates of `{route}` needs its name: add `--confirm {route}`");
                return Err(Exit::usage(message));
            }
            eprint!("{}Type the name of the route to skip what does not hold: ", text(gate));
            let _ = std::io::stderr().flush();
            let mut line = String::new();
            let _ = std::io::stdin().lock().read_line(&mut line);
            line.trim().to_owned()
        }
    };
    match given == *route {
        true => Ok(()),
        false => Err(Exit::usage(format!("`{given}` is not the name of the route, so nothing was changed"))),
    }
}

pub(super) fn gate(common: &Common, flags: &Gate) -> Done {
    let path = format!("/v1/gate{}", query(&[("route", Some(flags.route.clone()))]));
    let answer = Client::new(common).get(&path)?;
    if common.json {
        screen::print_json(&answer);
    } else {
        screen::print(&text(&answer["gate"]));
    }
    if flags.exit_code && answer["gate"]["holds"] != true { Err(Exit::silent(3)) } else { Ok(()) }
}

pub(super) fn approve(common: &Common, flags: &Approve) -> Done {
    let question = json!({
        "route": flags.route,
        "step": flags.step,
        "reason": flags.reason,
        "based_on": flags.if_revision,
    });
    let answer = Client::new(common).post("/v1/approve", &question)?;
    if common.json {
        screen::print_json(&answer);
        return Ok(());
    }
    let (route, step, revision) = (&flags.route, word(&answer["step"]), &answer["revision"]);
    screen::print(&format!("{route}: approved for {step} (revision {revision})\n"));
    let conditions = answer["gate"]["conditions"].as_array();
    match conditions.into_iter().flatten().find(|one| one["name"] == "approvals") {
        Some(approvals) => screen::print(&format!("{}\n", word(&approvals["sentence"]))),
        None => screen::print("the plan of this route asks for no approvals\n"),
    }
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        eprintln!("{} {}", screen::warning_word(), word(warning));
    }
    Ok(())
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Where the route stands, and a line for each condition.
fn text(gate: &Value) -> String {
    let (route, stage) = (word(&gate["route"]), word(&gate["stage"]));
    let steps: Vec<&str> = gate["steps"].as_array().into_iter().flatten().map(word).collect();
    let Some(next) = gate["next"].as_str() else {
        return format!("{route}: {stage}, and no step up from there (steps: {})\n", steps.join(", "));
    };
    let mut lines = vec![format!("{route}: {stage} -> {next} (steps: {})", steps.join(", "))];
    for condition in gate["conditions"].as_array().into_iter().flatten() {
        let holds = condition["holds"] == true;
        let mark = if holds { "[x]" } else { "[ ]" };
        let line = format!("{mark} {:<11}  {}", word(&condition["name"]), word(&condition["sentence"]));
        lines.push(if holds { line } else { screen::bad(&line) });
    }
    if gate["auto"] == true {
        let hours = gate["hours"].as_str().map(|hours| format!(", {hours}")).unwrap_or_default();
        lines.push(format!("the plan takes this step by itself once every condition holds{hours}"));
    }
    lines.join("\n") + "\n"
}
