//! `cargo xtask with-postgres -- COMMAND`: a throwaway cluster for one command, gone when the command is, however
//! it ends. What a killed run left behind is cleaned up by the next one.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::IsTerminal;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::postgres::{Cluster, home_for, own_uid};
use crate::problem::{Context, Outcome, Problem};
use crate::processes::{Process, Record};
use crate::signals::Interrupts;
use crate::workspace::Workspace;

const PREFIX: &str = "ficus-pg-";
const PATIENCE: Duration = Duration::from_secs(10);

/// A cluster in a temporary folder that knows whose it is.
pub(crate) struct Throwaway {
    pub(crate) cluster: Cluster,
    home: PathBuf,
}

impl Throwaway {
    /// Cleans up after killed runs, then starts a cluster.
    pub(crate) fn start(workspace: &Workspace, interrupts: &Interrupts) -> Outcome<Self> {
        let temp = env::temp_dir();
        clean_up(&temp);
        let name = format!("{PREFIX}{}", std::process::id());
        let home = home_for(&temp.join(&name), &Path::new("/tmp").join(&name))?;
        let this = Process::this().ok_or_else(|| Problem::new("cannot read /proc"))?;
        Record::at(home.join("owner")).add("xtask", &this)?;
        let record = Record::at(home.join("processes"));
        let cluster = Cluster::start(workspace, &home, &record, interrupts).inspect_err(|_| {
            record.clean_up();
        })?;
        Ok(Self { cluster, home })
    }

    /// The superuser's address.
    pub(crate) fn url(&self) -> String {
        self.cluster.url("postgres")
    }

    /// Stops the cluster and removes its folder.
    pub(crate) fn stop(self, interrupts: &Interrupts) {
        self.cluster.stop(interrupts);
        let _ = fs::remove_dir_all(&self.home);
    }
}

/// Ends clusters whose owner was killed. Only folders of our own are looked at.
fn clean_up(temp: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let ours = entry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == own_uid());
        if !ours || !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let owners = Record::at(entry.path().join("owner")).entries();
        if !owners.is_empty() && owners.iter().all(|(_, owner)| !owner.alive()) {
            Record::at(entry.path().join("processes")).clean_up();
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs the command with `TEST_POSTGRES_URL` set; its exit code becomes ours.
pub(crate) fn run(workspace: &Workspace, command: &[OsString]) -> Outcome<u8> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Problem::new("usage: cargo xtask with-postgres -- COMMAND [ARGUMENT..]"));
    };
    let interrupts = Interrupts::watch()?;
    let throwaway = Throwaway::start(workspace, &interrupts)?;
    let mut command = Command::new(program);
    command.args(arguments).env("TEST_POSTGRES_URL", throwaway.url());
    // At a terminal the command shares our group, so that Ctrl-C and job control reach it as usual.
    let shared = std::io::stdin().is_terminal();
    if !shared {
        command.process_group(0);
    }
    let status = command
        .spawn()
        .context(|| format!("cannot start `{}`", program.display()))
        .and_then(|child| follow(child, &throwaway, &interrupts, shared));
    throwaway.stop(&interrupts);
    Ok(exit_code(status?))
}

/// Waits for the command; when we are asked to stop, it is asked too, and ended when it does not listen.
fn follow(
    mut child: Child,
    throwaway: &Throwaway,
    interrupts: &Interrupts,
    shared: bool,
) -> Outcome<ExitStatus> {
    let process = Process::find(child.id());
    if let Some(process) = process.as_ref().filter(|_| !shared) {
        Record::at(throwaway.home.join("processes")).add("command", process)?;
    }
    let mut deadline = None;
    loop {
        if let Some(status) = child.try_wait().context(|| "cannot wait for the command".into())? {
            if let Some(process) = process.filter(|_| !shared) {
                process.signal_group("TERM");
            }
            return Ok(status);
        }
        if interrupts.asked() && deadline.is_none() {
            deadline = Some(Instant::now() + PATIENCE);
            tell(process.as_ref(), "TERM", shared);
        }
        if interrupts.insisted() || deadline.is_some_and(|limit| Instant::now() > limit) {
            tell(process.as_ref(), "KILL", shared);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn tell(process: Option<&Process>, signal: &str, shared: bool) {
    match process {
        Some(process) if shared => process.signal(signal),
        Some(process) => process.signal_group(signal),
        None => {}
    }
}

fn exit_code(status: ExitStatus) -> u8 {
    status.code().map_or(130, |code| u8::try_from(code).unwrap_or(1))
}
