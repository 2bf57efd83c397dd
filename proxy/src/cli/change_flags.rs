//! Flags of the commands that change the routing.

use std::path::PathBuf;

use clap::Args;
use clap::builder::FalseyValueParser;

/// What every change takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Manner {
    /// Why; goes into the history and the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    pub(super) if_revision: Option<u64>,
    /// Do not ask
    #[arg(short, long, env = "FICUS_YES", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(super) yes: bool,
    /// Never ask: without --yes, fail where a question would be
    #[arg(long)]
    pub(super) no_input: bool,
    /// Show what would change, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) fleet: Wait,
}

/// How long to wait for the other nodes of a fleet.
#[derive(Debug, Clone, Args)]
pub(super) struct Wait {
    /// In a fleet: how long to wait until every node runs it [default: `fleet.wait` of the settings]
    #[arg(long, value_name = "TIME", value_parser = any_time)]
    pub(super) wait: Option<String>,
}

fn any_time(text: &str) -> Result<String, String> {
    crate::diagnostic::duration(text).map(|_| text.to_owned())
}

/// `flip`.
#[derive(Debug, Args)]
#[command(after_help = "\
More traffic for a backend that is not the fallback, and switching a route off, is shown first and asked about on a \
terminal; elsewhere it needs --yes. The way to the fallback is never asked about.

Examples:
  ficus flip customers.list rust --reason CRM-812
  ficus flip customers.list rust --canary 5%
  ficus flip customers.list legacy
  ficus flip reports.monthly off --yes --reason 'database is on its knees'")]
pub(super) struct Flip {
    /// The route
    pub(super) route: String,
    /// The backend that shall answer, or `off`: nobody, 503
    #[arg(value_name = "BACKEND|off")]
    pub(super) to: String,
    /// Only for this share of users, up to three decimals
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) canary: Option<String>,
    #[command(flatten)]
    pub(super) manner: Manner,
}

fn share(text: &str) -> Result<String, String> {
    crate::diagnostic::percent(text).map(|_| text.to_owned())
}

/// `canary`.
#[derive(Debug, Args)]
#[command(
    override_usage = "ficus canary <ROUTE> [SHARE] [OPTIONS]",
    after_help = "\
A user is in a canary by a hash of who they are, so that everybody stays on one side on every node; more only adds \
users, less takes away those who came last. What is not named stays as it is; an empty list (--users '') empties it.

Examples:
  ficus canary customers.list 5% --reason CRM-812
  ficus canary customers.list --users 7,12 --roles admin
  ficus canary customers.list 0% --testers on
  ficus canary customers.list 0%"
)]
pub(super) struct Canary {
    /// The route
    pub(super) route: String,
    /// The share of users, up to three decimals
    #[arg(value_parser = share, required_unless_present_any = ["users", "roles", "networks", "testers", "group"])]
    pub(super) share: Option<String>,
    /// Ids of users who are always in it, separated by commas
    #[arg(long, value_name = "IDS")]
    pub(super) users: Option<String>,
    /// Roles whose users are always in it, separated by commas
    #[arg(long, value_name = "NAMES")]
    pub(super) roles: Option<String>,
    /// Networks whose clients are always in it, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    pub(super) networks: Option<String>,
    /// Whether testers may choose the candidate although nobody else is in it
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    pub(super) testers: Option<String>,
    /// Routes of one group keep a user on one side
    #[arg(long, value_name = "NAME")]
    pub(super) group: Option<String>,
    #[command(flatten)]
    pub(super) manner: Manner,
}

/// `rollback`.
#[derive(Debug, Args)]
#[command(
    override_usage = "ficus rollback <ROUTE | --all> [OPTIONS]",
    after_help = "\
A rollback is never asked about and never waits for the store. What it moved is held: nothing sends more users to the \
candidate until `ficus resume`. If the routing file cannot be written, the rollback is laid over it and shown by `ficus \
status`, until the file says the same, the route is resumed, or its time is over.

Examples:
  ficus rollback customers.list
  ficus rollback --all --reason 'wrong totals'
  ficus rollback customers.list --for 2h
  ficus rollback customers.list --offline    (the running ficus does not answer)"
)]
pub(super) struct Rollback {
    /// The route
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) route: Option<String>,
    /// Every route that is not switched off
    #[arg(long)]
    pub(super) all: bool,
    /// How long it is held, such as `2h`; else until somebody resumes it
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(super) lasts: Option<String>,
    /// Why; goes into the history and the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Change the files without asking the running ficus
    #[arg(long)]
    pub(super) offline: bool,
    #[command(flatten)]
    pub(super) fleet: Wait,
}

fn time(text: &str) -> Result<String, String> {
    match crate::diagnostic::duration(text)? {
        std::time::Duration::ZERO => Err("must be longer than nothing".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// `hold`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus hold customers.list --reason 'month end'
  ficus hold customers.list --for 8h")]
pub(super) struct Hold {
    /// The route
    pub(super) route: String,
    /// How long, such as `2h`; else until somebody resumes it
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    pub(super) lasts: Option<String>,
    /// Why; goes into the history and the audit
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    pub(super) if_revision: Option<u64>,
    #[command(flatten)]
    pub(super) fleet: Wait,
}

/// `resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
The routing file counts again for the route. Where it sends more users to the candidate than are sent now, that is \
shown first and asked about.

Examples:
  ficus resume customers.list
  ficus resume customers.list && ficus undo 43")]
pub(super) struct Resume {
    /// The route
    pub(super) route: String,
    #[command(flatten)]
    pub(super) manner: Manner,
}

/// A rule that allows a difference.
#[derive(Debug, Args)]
pub(super) struct Rule {
    /// Why; stands in the rule and in the history
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
    /// The last day on which the rule counts [default: in 90 days]
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(super) expires: Option<String>,
}

/// `undo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Takes one change back as a new revision; later changes of other routes stay. The undo of an undo does it again.

Examples:
  ficus undo
  ficus undo 42 --reason 'too early'
  ficus undo 42 --dry-run")]
pub(super) struct Undo {
    /// The revision that made the change; else the last one
    pub(super) revision: Option<u64>,
    /// Also take back what changed the same route later
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) manner: Manner,
}

/// `apply`.
#[derive(Debug, Args)]
#[command(after_help = "\
The file is checked in full and takes the place of routes.toml, or nothing happens.

Examples:
  ficus apply new.toml --dry-run
  ficus apply new.toml --reason CRM-812
  git show HEAD:routes.toml | ficus apply - --yes")]
pub(super) struct Apply {
    /// The file; `-`: standard input
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) manner: Manner,
}
