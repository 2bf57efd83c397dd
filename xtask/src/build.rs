//! `cargo build` with its progress told to somebody: cargo draws its bar, we read the numbers out of it. Everything
//! else that cargo says goes to the log.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::problem::{Context, Outcome, Problem};
use crate::processes::Process;
use crate::supervise::tail;
use crate::workspace::Workspace;

/// Builds with these arguments; `told` hears how many of how many units are done, `stop` says when nobody wants the
/// result any more.
pub(crate) fn build(
    workspace: &Workspace,
    arguments: &[&str],
    stop: impl Fn() -> bool + Sync,
    told: impl FnMut(usize, usize),
) -> Outcome {
    let log = workspace.log("build")?;
    let mut command = cargo();
    command.arg("build").args(arguments).current_dir(workspace.root()).process_group(0);
    command.env("CARGO_TERM_PROGRESS_WHEN", "always").env("CARGO_TERM_PROGRESS_WIDTH", "80");
    command
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command.spawn().context(|| "cannot start cargo".into())?;
    let process = Process::find(child.id());
    let pipe = child.stderr.take().ok_or_else(|| Problem::new("cargo has no output"))?;
    let over = AtomicBool::new(false);
    let status = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                if let Some(process) = process.as_ref().filter(|_| stop()) {
                    process.signal_group("TERM");
                }
                thread::sleep(Duration::from_millis(100));
            }
        });
        let read = listen(pipe, &log, told);
        let status = child.wait().context(|| "cannot wait for cargo".into());
        over.store(true, Ordering::SeqCst);
        read.and(status)
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("the build failed, see {}\n{}", workspace.short(&log), tail(&log, 25))))
}

/// Reads cargo's bar, which ends in carriage returns, and writes its lines to the log.
fn listen(pipe: impl Read, log: &Path, mut told: impl FnMut(usize, usize)) -> Outcome {
    let mut file = File::create(log).context(|| format!("cannot write `{}`", log.display()))?;
    let mut line = Vec::new();
    for byte in BufReader::new(pipe).bytes() {
        match byte.context(|| "cannot read from cargo".into())? {
            end @ (b'\r' | b'\n') => {
                let text = String::from_utf8_lossy(&line).into_owned();
                match units(&text) {
                    Some((done, total)) => told(done, total),
                    None if end == b'\n' => {
                        writeln!(file, "{text}").context(|| "cannot write the log".into())?
                    }
                    None => {}
                }
                line.clear();
            }
            byte => line.push(byte),
        }
    }
    Ok(())
}

/// The cargo that started us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // `cargo run` leaves these behind; a cargo below us sets its own.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "LD_LIBRARY_PATH"
        {
            command.env_remove(&*name);
        }
    }
    command
}

/// `Building [=====>   ] 271/336: pingora-core` -> 271 of 336.
fn units(line: &str) -> Option<(usize, usize)> {
    let (_, rest) = line.split_once("Building [")?;
    let (_, rest) = rest.split_once("] ")?;
    let (done, rest) = rest.split_once('/')?;
    let total = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
    Some((done.trim().parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_cargos_bar() {
        assert_eq!(units("    Building [=======>     ] 271/336: pingora-core, sqlx"), Some((271, 336)));
        assert_eq!(units("    Building [=============] 336/336: ficus(bin)"), Some((336, 336)));
        assert_eq!(units("   Compiling ficus v0.1.0"), None);
    }
}
