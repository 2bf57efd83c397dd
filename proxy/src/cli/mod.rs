//! The command line: one word for each intent.
//!
//! Commands that look or change ask the running ficus over its admin socket (`client`); `check`, and `explain`
//! without a proxy, read the files themselves; `init`, `census`, `prove-routes` and `check-templates` ask the Flask application. Data go to standard output, everything else to standard error. Exit
//! codes are in `exit`, what people read is drawn by `screen`.

mod application;
mod archive;
mod arguments;
mod audit;
mod bundle;
mod capsule;
mod capture;
mod census;
mod certificate;
mod change;
mod change_flags;
mod check;
mod check_templates;
mod client;
mod difference;
mod diffs;
mod drill;
mod exit;
mod explain;
mod fleet;
mod fmt;
mod history;
mod incident;
mod init;
mod manual;
mod masks;
mod noise;
mod offline;
mod offline_rollback;
mod process;
mod progress;
mod promote;
mod prove;
mod record;
mod replay;
mod report;
mod retire;
mod routes;
mod schema;
mod screen;
mod serve;
mod shadow;
mod status;
mod tester;
mod token;
mod trust;
mod twin;
mod watch;
mod way;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use exit::Exit;

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Arguments { common, command } = arguments;
    let done = match command {
        Command::Serve(flags) => serve::run(&common, &flags),
        Command::Check(flags) => check::run(&common, &flags),
        Command::Status(flags) => status::run(&common, &flags),
        Command::Routes(flags) => routes::run(&common, &flags),
        Command::Explain(flags) => explain::run(&common, &flags),
        Command::Flip(flags) => change::flip(&common, &flags),
        Command::Canary(flags) => change::canary(&common, &flags),
        Command::Rollback(flags) => change::rollback(&common, &flags),
        Command::Hold(flags) => change::hold(&common, &flags),
        Command::Resume(flags) => change::resume(&common, &flags),
        Command::Undo(flags) => change::undo(&common, &flags),
        Command::Apply(flags) => change::apply(&common, &flags),
        Command::Diff(flags) => difference::run(&common, &flags),
        Command::Audit(flags) => audit::run(&common, &flags),
        Command::TesterToken(flags) => tester::run(&common, &flags),
        Command::Capture(flags) => capture::run(&common, &flags),
        Command::Token(flags) => token::run(&common, &flags),
        Command::Watch(flags) => watch::run(&common, &flags),
        Command::SupportBundle(flags) => bundle::run(&common, &flags),
        Command::Shadow(flags) => shadow::run(&common, &flags),
        Command::Gate(flags) => promote::gate(&common, &flags),
        Command::Promote(flags) => promote::promote(&common, &flags),
        Command::Approve(flags) => promote::approve(&common, &flags),
        Command::Drill(flags) => drill::run(&common, &flags),
        Command::Diffs(flags) => diffs::run(&common, &flags),
        Command::Capsule(flags) => capsule::run(&common, &flags),
        Command::Noise(flags) => noise::run(&common, &flags),
        Command::Certificate(flags) => certificate::run(&common, &flags),
        Command::History(flags) => history::run(&common, &flags),
        Command::Reload => process::reload(&common),
        Command::Upgrade => process::upgrade(&common),
        Command::Fleet(flags) => fleet::run(&common, &flags),
        Command::Incident(flags) => incident::run(&common, &flags),
        Command::Progress(flags) => progress::run(&common, &flags),
        Command::Retire(flags) => retire::run(&common, &flags),
        Command::Fmt(flags) => fmt::run(&common, &flags),
        Command::Schema(flags) => schema::run(&flags),
        Command::Init(flags) => init::run(&common, &flags),
        Command::Census(flags) => census::run(&common, &flags),
        Command::ProveRoutes(flags) => prove::run(&common, &flags),
        Command::Completions(flags) => manual::completions(&flags),
        Command::Man(flags) => manual::man(&flags),
        Command::Record(flags) => record::run(&common, &flags),
        Command::Replay(flags) => replay::run(&common, &flags),
        Command::Twin(flags) => twin::run(&common, &flags),
        Command::CheckTemplates(flags) => check_templates::run(&common, &flags),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => {
            exit.print();
            ExitCode::from(exit.code())
        }
    }
}

/// What a command comes to.
type Done = Result<(), Exit>;
