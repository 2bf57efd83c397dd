//! Commands, flags and their help.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::Inputs;

/// Ficus grows around a Flask application: each endpoint is answered by Flask or by Rust, and changes sides at once.
#[derive(Debug, Parser)]
#[command(
    name = "ficus",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not healthy or changed (only with --exit-code), 4 somebody else changed it \
first, 5 ficus cannot be reached."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(super) struct Common {
    /// Settings of this node [env: FICUS_CONFIG] [default: ficus.toml, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Routing file [env: FICUS_ROUTES] [default: routes.toml beside ficus.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) routes: Option<PathBuf>,
    /// Admin socket of the running ficus [env: FICUS_LISTEN_ADMIN_SOCKET] [default: as in the settings]
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "FICUS_LISTEN_ADMIN_SOCKET",
        hide_env_values = true
    )]
    pub(super) socket: Option<PathBuf>,
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Common {
    /// What settings are read from.
    pub(super) fn inputs(&self) -> Inputs {
        let mut inputs = Inputs { config: self.config.clone(), ..Inputs::from_process() };
        let flags = [("routes", "--routes", &self.routes), ("listen.admin_socket", "--socket", &self.socket)];
        for (key, flag, value) in flags {
            if let Some(path) = value {
                inputs.flags.push((key.to_owned(), flag.to_owned(), path.display().to_string()));
            }
        }
        inputs
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the proxy
    Serve(Serve),
    /// Check ficus.toml and routes.toml: all errors and warnings at once
    Check(Check),
    /// Show what is running and how it is
    Status(Status),
    /// List the routes and who answers them
    Routes(Routes),
    /// Say who would answer a request, and why
    Explain(Explain),
    /// Let another backend answer a route
    Flip(Flip),
    /// Let the fallback answer a route again: at once, without a question
    Rollback(Rollback),
    /// Show who changed what, when and why
    History(History),
    /// Show what made a guard roll a route back
    Incident(Incident),
    /// Write ficus.toml and routes.toml for a Flask application
    Init(super::init::Init),
    /// Show what changed in the Flask application since routes.toml was written
    Census(super::census::Flags),
    /// Ask the Flask application's matcher and Ficus' the same, and show where they differ
    ProveRoutes(super::prove::Prove),
}

/// `serve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus serve --legacy http://127.0.0.1:5000
  ficus serve --config /etc/ficus/ficus.toml --routes /var/lib/ficus/routes.toml")]
pub(super) struct Serve {
    /// Listen here for HTTP
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Listen here for /metrics, /livez and /readyz
    #[arg(long, value_name = "ADDR")]
    pub(super) admin: Option<String>,
    /// The Flask application
    #[arg(long, value_name = "URL")]
    pub(super) legacy: Option<String>,
    /// The Rust handlers
    #[arg(long, value_name = "URL")]
    pub(super) rust: Option<String>,
}

/// `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus check
  ficus check --routes new.toml --json")]
pub(super) struct Check {}

/// `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus status
  ficus status --json --exit-code")]
pub(super) struct Status {
    /// Exit with 3 unless ficus is ready, the routing file is good and nothing lies over it
    #[arg(long)]
    pub(super) exit_code: bool,
}

/// `routes`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus routes
  ficus routes customers")]
pub(super) struct Routes {
    /// Only routes whose name or rule contains this
    pub(super) filter: Option<String>,
}

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus explain GET /customers/7
  ficus explain GET '/customers/?page=2' --user 7
  ficus explain POST /customers/new --routes new.toml --offline")]
pub(super) struct Explain {
    /// The method
    pub(super) method: String,
    /// The path, as a client sends it
    pub(super) path: String,
    /// The id of the logged-in user
    #[arg(long, value_name = "ID")]
    pub(super) user: Option<String>,
    /// The address of the client
    #[arg(long, value_name = "IP")]
    pub(super) address: Option<IpAddr>,
    /// The Host header
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub(super) host: String,
    /// Read the files instead of asking the running ficus
    #[arg(long)]
    pub(super) offline: bool,
}

/// `flip`.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, more traffic for a backend that is not the fallback is shown first and asked about. Scripts are not \
asked.

Examples:
  ficus flip customers.list rust --reason CRM-812
  ficus flip customers.list rust --canary 5%
  ficus flip customers.list legacy
  ficus flip reports.monthly off --reason 'database is on its knees'")]
pub(super) struct Flip {
    /// The route
    pub(super) route: String,
    /// The backend that shall answer, or `off`: nobody, 503
    #[arg(value_name = "BACKEND|off")]
    pub(super) to: String,
    /// Only for this share of users, up to three decimals
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) canary: Option<String>,
    /// Why; goes into the history
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Refuse unless this revision still holds
    #[arg(long, value_name = "N")]
    pub(super) if_revision: Option<u64>,
    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
}

fn share(text: &str) -> Result<String, String> {
    crate::diagnostic::percent(text).map(|_| text.to_owned())
}

/// `rollback`.
#[derive(Debug, Args)]
#[command(
    override_usage = "ficus rollback <ROUTE | --all> [OPTIONS]",
    after_help = "\
A rollback is never asked about and never waits for the store. If the routing file cannot be written, it is laid \
over the file and shown by `ficus status` until the file says the same.

Examples:
  ficus rollback customers.list
  ficus rollback --all --reason 'wrong totals'
  ficus rollback customers.list --offline    (the running ficus does not answer)"
)]
pub(super) struct Rollback {
    /// The route
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) route: Option<String>,
    /// Every route that is not switched off
    #[arg(long)]
    pub(super) all: bool,
    /// Why; goes into the history
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Change the files without asking the running ficus
    #[arg(long)]
    pub(super) offline: bool,
}

/// `history`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus history
  ficus history customers.list --limit 5 --json")]
pub(super) struct History {
    /// Only changes of this route
    pub(super) route: Option<String>,
    /// How many, newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u32,
}

/// `incident`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus incident        (all of this node, newest first)
  ficus incident 3      (the numbers, and bad requests to look at)")]
pub(super) struct Incident {
    /// Its number
    pub(super) id: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense() {
        super::Arguments::command().debug_assert();
    }
}
