//! `ficus shadow`: how much is copied to the other side.

use clap::Args;
use serde_json::json;

use super::Done;
use super::arguments::Common;
use super::change::report;
use super::client::Client;

/// `shadow`.
#[derive(Debug, Args)]
#[command(after_help = "\
Users notice nothing: the other side is asked after they have got their answer, and what it says is compared and thrown \
away. Only GET and HEAD are copied.

Examples:
  ficus shadow customers.list --reason CRM-812
  ficus shadow customers.list 10%
  ficus shadow customers.list off")]
pub(super) struct Flags {
    /// The route
    route: String,
    /// The share of requests, up to three decimals; statuses that are rare are always copied
    #[arg(value_name = "SHARE|off", default_value = "100%", value_parser = sample)]
    sample: String,
    /// Why; goes into the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    if_revision: Option<u64>,
}

fn sample(text: &str) -> Result<String, String> {
    if text != "off" {
        crate::diagnostic::percent(text)?;
    }
    Ok(text.to_owned())
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    let question = json!({
        "route": flags.route,
        "sample": flags.sample,
        "reason": flags.reason,
        "based_on": flags.if_revision,
    });
    let answer = Client::new(common).post("/v1/shadow", &question)?;
    report(common, &answer, &flags.route)
}
