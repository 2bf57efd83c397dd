//! Commands, flags and their help.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::settings::Inputs;

use super::change_flags::{Apply, Canary, Flip, Hold, Resume, Rollback, Undo};

/// Ficus grows around a Flask application: each endpoint is answered by Flask or by Rust, and changes sides at once.
#[derive(Debug, Parser)]
#[command(
    name = "ficus",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 done, 1 failed, 2 wrong usage or --yes is missing, 3 held, not ready, a template, a \
replay or a twin differs, or (only with --exit-code) not healthy, changed or not proved, 4 somebody else changed it first, \
5 ficus cannot be reached, 6 done, but not on every node of the fleet, 130 interrupted."
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
    /// Admin API over TCP, as http://127.0.0.1:9900 or https://node-1:9900, in place of the socket; FICUS_TOKEN, or the
    /// file named by FICUS_TOKEN_FILE, says who asks; FICUS_ADMIN_CA names a file with the authorities to trust. For `serve`: the address to listen on [env: FICUS_ADMIN]
    #[arg(long, global = true, value_name = "URL")]
    pub(super) admin: Option<String>,
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
    /// Let a share of users, or named ones, be answered by the candidate of a route
    Canary(Canary),
    /// Take a route one step up, if the gate of that step holds
    Promote(super::promote::Promote),
    /// Show the gate of a route's next step, condition by condition
    Gate(super::promote::Gate),
    /// Agree to the next step of a route, for whoever takes it
    Approve(super::promote::Approve),
    /// Rehearse a rollback: a test identity goes to the candidate and back
    Drill(super::drill::Drill),
    /// Let the fallback answer a route again and hold it there: at once, without a question
    Rollback(Rollback),
    /// Pin a route: nothing sends more users to its candidate until somebody resumes it
    Hold(Hold),
    /// End the hold of a route
    Resume(Resume),
    /// Take a change of the past back
    Undo(Undo),
    /// Put another file in the place of routes.toml
    Apply(Apply),
    /// Show where the routing file and what is running differ
    Diff(Diff),
    /// Copy a route's requests to the other side and compare the answers
    Shadow(super::shadow::Flags),
    /// Put triggers into the application's database that tell which rows a request changes
    Capture(super::capture::Flags),
    /// Show where the answers of both sides differ
    Diffs(super::diffs::Flags),
    /// Make a test of a difference: for the handler in Rust, and for Flask as a pytest
    Capsule(super::capsule::Flags),
    /// Show what differs from itself on the legacy side, and make rules of it
    Noise(super::noise::Flags),
    /// Show what the comparisons of a route prove, and what is missing
    Certificate(super::certificate::Flags),
    /// Show who changed what, when and why
    History(History),
    /// Show the nodes that share a store, and what each of them runs
    Fleet(super::fleet::Flags),
    /// Show what made a guard roll a route back
    Incident(Incident),
    /// Read ficus.toml, the routing file and the certificates again
    #[command(after_help = "\
Examples:
  ficus reload
  ficus reload --json")]
    Reload,
    /// Put a new process in the place of the running one, without an interruption
    #[command(after_help = "\
The new process is the program at the path that the running one was started with, with the same flags and variables. It \
takes over the listening sockets; the old one answers what it has begun. If the new one does not get ready, the old one \
goes on, and says why.

Examples:
  ficus upgrade
  ficus upgrade --json")]
    Upgrade,
    /// Show the audit and prove that nobody touched it
    Audit(Audit),
    /// Make a token by which a tester chooses a side
    TesterToken(TesterToken),
    /// Report how far the migration is and what to move next
    Progress(super::progress::Flags),
    /// Prove that nothing needs the Python view of a route, and name its lines
    Retire(super::retire::Flags),
    /// Write routes.toml in its canonical form
    Fmt(super::fmt::Flags),
    /// Print the JSON Schema of routes.toml or ficus.toml, for editors
    Schema(super::schema::Flags),
    /// Make, list and revoke the tokens of the admin API
    Token(super::token::Token),
    /// Show what happens, as it happens
    Watch(super::watch::Watch),
    /// Gather what somebody needs who helps, without secrets and personal data
    SupportBundle(super::bundle::SupportBundle),
    /// Write ficus.toml and routes.toml for a Flask application
    Init(super::init::Init),
    /// Show what changed in the Flask application since routes.toml was written
    Census(super::census::Flags),
    /// Ask the Flask application's matcher and Ficus' the same, and show where they differ
    ProveRoutes(super::prove::Prove),
    /// Record users' traffic of some routes, masked, for a replay
    Record(super::record::Flags),
    /// Play recorded sessions against a backend and compare the answers
    Replay(super::replay::Flags),
    /// Run two stacks on clones of one database and compare answers and tables
    Twin(super::twin::Flags),
    /// Print the completions for a shell
    Completions(super::manual::Completions),
    /// Print the manual, as a page for `man`
    Man(super::manual::Man),
    /// Render templates with the Flask application's Jinja2 and with minijinja, and show where they differ
    CheckTemplates(super::check_templates::CheckTemplates),
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
    /// The id in the visitor cookie
    #[arg(long, value_name = "ID")]
    pub(super) visitor: Option<String>,
    /// The address of the client
    #[arg(long, value_name = "IP")]
    pub(super) address: Option<IpAddr>,
    /// A role of the user; may be given again
    #[arg(long, value_name = "NAME")]
    pub(super) role: Vec<String>,
    /// The Host header
    #[arg(long, value_name = "NAME", default_value = "localhost")]
    pub(super) host: String,
    /// Read the files instead of asking the running ficus
    #[arg(long)]
    pub(super) offline: bool,
}

/// `history`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus history
  ficus history customers.list --limit 5 --json
  ficus history --diff -n 1")]
pub(super) struct History {
    /// Only changes of this route
    pub(super) route: Option<String>,
    /// How many, newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u32,
    /// With the difference that each change made in the routing file
    #[arg(long)]
    pub(super) diff: bool,
}

/// `diff`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus diff
  ficus diff --exit-code")]
pub(super) struct Diff {
    /// Exit with 3 if something differs
    #[arg(long)]
    pub(super) exit_code: bool,
}

/// `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each record carries the digest of the one before it, in audit.jsonl and in the store. A digest written down elsewhere \
proves later that nothing before it was changed.

Examples:
  ficus audit
  ficus audit --verify
  ficus audit --limit 1000 --json")]
pub(super) struct Audit {
    /// Check every record of both copies; exit with 1 and name the first one that is wrong or missing
    #[arg(long)]
    pub(super) verify: bool,
    /// How many, newest first
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(super) limit: u32,
}

/// `tester-token`.
#[derive(Debug, Args)]
#[command(after_help = "\
The token is sent in the header X-Ficus-Tester or in the cookie ficus_tester. It counts on routes with a canary only; \
`ficus canary ROUTE --testers on` makes one for testers alone. A rollback ends what tokens do.

Examples:
  ficus tester-token customers.list
  ficus tester-token 'customers.*' --side fallback --for 1h")]
pub(super) struct TesterToken {
    /// A route, the beginning of names as `customers.*`, or `*`
    #[arg(value_name = "ROUTE")]
    pub(super) scope: String,
    /// `candidate` or `fallback`
    #[arg(long, value_name = "SIDE", default_value = "candidate")]
    pub(super) side: String,
    /// How long it is good for, at most 720h
    #[arg(long = "for", value_name = "TIME", default_value = "8h")]
    pub(super) lasts: String,
}

/// `incident`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ficus incident        (all of this node and its fleet, newest first)
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
