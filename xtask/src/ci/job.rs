//! One program run for a stage: own process group, all output in the stage's log, stopped when we are.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::build::cargo;
use crate::problem::{Context, Outcome, Problem, bail};
use crate::processes::Process;
use crate::python;
use crate::signals::Interrupts;
use crate::with_postgres::Throwaway;
use crate::workspace::Workspace;

use super::count::Count;

/// What all stages share.
pub(super) struct Run<'a> {
    pub(super) workspace: &'a Workspace,
    pub(super) interrupts: Interrupts,
    /// Started by the first stage that wants it, stopped at the very end.
    postgres: Mutex<Option<Throwaway>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(workspace: &'a Workspace, interrupts: Interrupts) -> Self {
        Self { workspace, interrupts, postgres: Mutex::new(None) }
    }

    /// A superuser's address of the throwaway cluster.
    fn postgres(&self) -> Outcome<String> {
        let mut slot = self.slot();
        if slot.is_none() {
            *slot = Some(Throwaway::start(self.workspace, &self.interrupts)?);
        }
        slot.as_ref().map(Throwaway::url).ok_or_else(|| Problem::new("no PostgreSQL"))
    }

    fn slot(&self) -> MutexGuard<'_, Option<Throwaway>> {
        self.postgres.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Stops what was started.
    pub(super) fn finish(&self) {
        if let Some(throwaway) = self.slot().take() {
            throwaway.stop(&self.interrupts);
        }
    }

    /// A cargo command.
    pub(super) fn cargo(&self, log: &Path, arguments: &[&str]) -> Outcome<Job<'_>> {
        let mut command = cargo();
        command.args(arguments).current_dir(self.workspace.root());
        command.env("CARGO_TERM_COLOR", "never").stdin(Stdio::null());
        Ok(self.job(log, command))
    }

    /// A module in an environment, `python -m MODULE`.
    pub(super) fn python(&self, log: &Path, environment: &str, arguments: &[&str]) -> Outcome<Job<'_>> {
        self.script(log, environment, &[&["-m"], arguments].concat())
    }

    /// A script in an environment, which is made if it is not there.
    pub(super) fn script(&self, log: &Path, environment: &str, arguments: &[&str]) -> Outcome<Job<'_>> {
        let mut command = Command::new(python::ensure(self.workspace, environment)?.join("python"));
        command.args(arguments).current_dir(self.workspace.root()).stdin(Stdio::null());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(self.job(log, command))
    }

    fn job(&self, log: &Path, command: Command) -> Job<'_> {
        Job { run: self, command, log: log.to_owned() }
    }
}

/// A program about to run.
pub(super) struct Job<'a> {
    run: &'a Run<'a>,
    command: Command,
    log: PathBuf,
}

/// How a program ended, and what it printed.
pub(super) struct Ended {
    pub(super) success: bool,
    pub(super) output: String,
}

impl Job<'_> {
    /// With `TEST_POSTGRES_URL`.
    pub(super) fn with_postgres(mut self) -> Outcome<Self> {
        let url = self.run.postgres()?;
        self.command.env("TEST_POSTGRES_URL", url);
        Ok(self)
    }

    /// With a variable.
    pub(super) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// With a file as its standard input.
    pub(super) fn input(mut self, path: &Path) -> Outcome<Self> {
        let file = fs::File::open(path).context(|| format!("cannot read `{}`", path.display()))?;
        self.command.stdin(file);
        Ok(self)
    }

    /// In a folder of the checkout.
    pub(super) fn dir(mut self, relative: &str) -> Self {
        self.command.current_dir(self.run.workspace.path(relative));
        self
    }

    /// Runs it to its end.
    pub(super) fn run(mut self) -> Outcome<Ended> {
        let before = fs::metadata(&self.log).map_or(0, |found| found.len());
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.context(|| format!("cannot write `{}`", self.log.display()))?;
        let errors = log.try_clone().context(|| format!("cannot write `{}`", self.log.display()))?;
        self.command.stdout(log).stderr(errors).process_group(0);
        let program = self.command.get_program().to_string_lossy().into_owned();
        let mut child = self.command.spawn().context(|| format!("cannot start `{program}`"))?;
        let process = Process::find(child.id());
        let mut told = false;
        let status = loop {
            if let Some(status) = child.try_wait().context(|| format!("cannot wait for `{program}`"))? {
                break status;
            }
            if let Some(process) = &process {
                if self.run.interrupts.insisted() {
                    process.signal_group("KILL");
                } else if self.run.interrupts.asked() && !told {
                    // What Ctrl-C would send: pytest and nextest tidy up after it.
                    process.signal_group("INT");
                    told = true;
                }
            }
            thread::sleep(Duration::from_millis(20));
        };
        if let Some(process) = process {
            // A suite that crashed must not leave its servers to the next one.
            process.signal_group("KILL");
        }
        let bytes = fs::read(&self.log).context(|| format!("cannot read `{}`", self.log.display()))?;
        let start = usize::try_from(before).unwrap_or(0);
        let output = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default()).into_owned();
        Ok(Ended { success: status.success(), output })
    }

    /// Runs a check that is one test in itself.
    pub(super) fn check(self) -> Outcome<Count> {
        if self.run()?.success { Ok(Count::PASSED) } else { Err(Problem::new("it failed")) }
    }

    /// Runs a test runner and reads its numbers; none at all is a failure, and so is a bad end without a failed test.
    pub(super) fn tests(self, read: fn(&str) -> Count) -> Outcome<Count> {
        let ended = self.run()?;
        let count = read(&ended.output);
        if count.total() == 0 {
            bail!("no test was run");
        }
        if !ended.success && count.failed == 0 {
            return Ok(count.plus(Count { failed: 1, ..Count::default() }));
        }
        Ok(count)
    }
}
