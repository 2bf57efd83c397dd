//! Children: how one is started (own process group, own log file), watched and stopped. What is started, and in
//! which order, is the business of `demo`, `postgres` and `ci`.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::{Context, Outcome, Problem};
use crate::processes::{Process, Record};

/// An account to drop to; only root can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Everything needed to start a program, and to start it again.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// One word, shown to people and kept in the record.
    pub(crate) name: &'static str,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Added to the environment.
    pub(crate) env: Vec<(String, String)>,
    /// Working directory.
    pub(crate) dir: PathBuf,
    /// Gets both outputs, appended.
    pub(crate) log: PathBuf,
    /// Who runs it.
    pub(crate) account: Option<Account>,
    /// How it is asked to stop.
    pub(crate) stop: Stop,
}

/// How a program likes to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGTERM to everyone in its group.
    Group,
    /// SIGTERM to the program, which tells its own workers.
    Leader,
    /// SIGINT to the program: PostgreSQL's fast shutdown (SIGTERM would wait for every client).
    Fast,
}

impl Launch {
    /// Starts the program and writes it into the record.
    pub(crate) fn start(&self, record: &Record) -> Outcome<Running> {
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.context(|| format!("cannot write `{}`", self.log.display()))?;
        let errors = log.try_clone().context(|| format!("cannot write `{}`", self.log.display()))?;
        let (program, arguments) = self.command.split_first().ok_or_else(|| Problem::new("no command"))?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.dir).process_group(0);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        let child = command.spawn().context(|| format!("cannot start {} (`{program}`)", self.name))?;
        let process =
            Process::find(child.id()).ok_or_else(|| Problem::new(format!("{} vanished", self.name)))?;
        record.add(self.name, &process)?;
        Ok(Running { name: self.name, stop: self.stop, log: self.log.clone(), child, process })
    }
}

/// A child that was started and not stopped yet.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
    stop: Stop,
    child: Child,
    pub(crate) process: Process,
}

impl Running {
    /// How it ended, if it did.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to stop, waits, and ends it the hard way when patience runs out or `hurry` says so.
    pub(crate) fn stop(mut self, patience: Duration, hurry: impl Fn() -> bool) {
        match self.stop {
            Stop::Group => self.process.signal_group("TERM"),
            Stop::Leader => self.process.signal("TERM"),
            Stop::Fast => self.process.signal("INT"),
        }
        let deadline = Instant::now() + patience;
        while self.exited().is_none() && Instant::now() < deadline && !hurry() {
            thread::sleep(Duration::from_millis(20));
        }
        self.process.signal_group("KILL");
        let _ = self.child.wait();
    }
}

/// The last lines of a log, indented, for an error message.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = read_end(log, 64 * 1024).unwrap_or_default();
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = all.iter().skip(all.len().saturating_sub(lines));
    last.map(|line| format!("    {line}\n")).collect()
}

fn read_end(log: &Path, most: u64) -> std::io::Result<String> {
    let mut file = fs::File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(most)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs a short command to its end, output into a log; an error carries the end of that log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Outcome {
    let file = OpenOptions::new().create(true).append(true).open(log);
    let file = file.context(|| format!("cannot write `{}`", log.display()))?;
    let errors = file.try_clone().context(|| format!("cannot write `{}`", log.display()))?;
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).stdout(file).stderr(errors).status();
    let status = status.context(|| format!("cannot start `{program}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(Problem::new(format!("`{program}` failed ({status}), see {}\n{}", log.display(), tail(log, 15))))
}

/// Runs a short command and gives its standard output, trimmed; `None` when it is missing or fails.
pub(crate) fn ask(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
