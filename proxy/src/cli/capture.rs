//! `ficus capture install|remove|status`: the triggers of write parity in the application's database.
//!
//! The address of the database comes from the environment or a file, never from the command line: it holds a password, and
//! everybody on the machine sees the arguments of a process.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::arguments::Common;
use super::exit::Exit;
use super::{Done, screen};
use crate::store::{CapturedTable, Installation, TriggerState};

/// `capture`.
#[derive(Debug, Args)]
#[command(after_help = "\
The triggers write down which rows a request changes, for requests that ficus marks (`shadow.writes` in routes.toml), and \
do nothing for all others. They live in the schema `ficus_capture`; `remove` takes all of it away again.

Examples:
  ficus capture install                          (the database of $DATABASE_URL)
  ficus capture status --database CRM_DATABASE_URL --exit-code
  ficus capture remove --database-file /run/secrets/database-url")]
pub(super) struct Flags {
    #[command(subcommand)]
    action: Action,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Action {
    /// Put the triggers on every table, and bring old ones up to date; again after each migration that adds tables
    Install(Target),
    /// Remove the triggers and the schema
    Remove(Target),
    /// Show which tables are captured
    Status(Status),
}

/// Which database.
#[derive(Debug, Args)]
struct Target {
    /// The environment variable that holds the address, `postgresql://…`
    #[arg(long, value_name = "VARIABLE", default_value = "DATABASE_URL")]
    database: String,
    /// The file that holds the address
    #[arg(long, value_name = "FILE", conflicts_with = "database")]
    database_file: Option<PathBuf>,
}

/// `status`.
#[derive(Debug, Args)]
struct Status {
    #[command(flatten)]
    target: Target,
    /// Exit with 3 unless every table is captured
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(common: &Common, flags: &Flags) -> Done {
    match &flags.action {
        Action::Install(target) => {
            let tables = on(target, async |database| database.install().await)?;
            show(common, &tables, "captured");
            Ok(())
        }
        Action::Remove(target) => {
            let tables = on(target, async |database| database.remove().await)?;
            show(common, &tables, "no longer captured");
            Ok(())
        }
        Action::Status(status) => {
            let tables = on(&status.target, async |database| database.tables().await)?;
            show(common, &tables, "");
            let all = tables.iter().all(|table| table.state == TriggerState::Captured);
            if status.exit_code && !all { Err(Exit::silent(3)) } else { Ok(()) }
        }
    }
}

fn on<T>(target: &Target, work: impl AsyncFnOnce(&mut Installation) -> Result<T, String>) -> Result<T, Exit> {
    let url = address(target)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Exit::failed(format!("cannot start: {error}")))?;
    let done = runtime.block_on(async {
        let mut database = Installation::open(&url).await?;
        work(&mut database).await
    });
    done.map_err(Exit::failed)
}

fn address(target: &Target) -> Result<String, Exit> {
    let text = match &target.database_file {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Exit::failed(format!("cannot read `{}`: {error}", file.display())))?,
        None if target.database.contains("://") => {
            // What was typed is not repeated: it may hold a password.
            return Err(Exit::usage(
                "`--database` takes the name of an environment variable, not an address: everybody on this machine \
                 sees the arguments of a process",
            ));
        }
        None => std::env::var(&target.database).map_err(|_| {
            Exit::usage(format!(
                "environment variable `{}` is not set; `--database NAME` or `--database-file FILE` say where the \
                 address of the database is",
                target.database
            ))
        })?,
    };
    Ok(text.trim().to_owned())
}

fn show(common: &Common, tables: &[CapturedTable], done: &str) {
    if common.json {
        screen::print_json(&json!({ "schema": 1, "tables": tables }));
        return;
    }
    let word = |table: &CapturedTable| match table.state {
        _ if !done.is_empty() => done,
        TriggerState::Captured => "captured",
        TriggerState::Missing => "not captured",
        TriggerState::Stale => "stale: run `ficus capture install`",
    };
    let rows: Vec<Vec<String>> = tables
        .iter()
        .map(|table| {
            let key = if table.key.is_empty() { "-".to_owned() } else { table.key.join(", ") };
            vec![format!("{}.{}", table.schema, table.name), key, word(table).to_owned()]
        })
        .collect();
    screen::print(&screen::table(&["TABLE", "KEY", "STATE"], &rows));
}
