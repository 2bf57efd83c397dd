//! `cargo ci`: every check and every test, each stage one line, all of them run even when one fails, the sum alone on
//! the last line. Which stages there are is in `stages`; how one program is run in `job`; how its tests are counted
//! in `count`. What is too long for it is in `nightly`.

mod count;
mod job;
pub(crate) mod nightly;
mod stages;
mod vectors;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::doctor::{self, Scope};
use crate::problem::{Context, Outcome, bail};
use crate::progress::seconds;
use crate::signals::Interrupts;
use crate::supervise::tail;
use crate::workspace::Workspace;

use count::Count;
use job::Run;
use stages::{Lane, STAGES, Stage};

/// What was asked for on the command line.
#[derive(Debug, Default)]
pub(crate) struct Options {
    only: Vec<String>,
    list: bool,
}

impl Options {
    /// Reads `[--only STAGE].. [--list]`.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let mut options = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("list") => options.list = true,
                Long("only") => options.only.push(parser.value()?.to_string_lossy().into_owned()),
                other => return Err(other.unexpected().into()),
            }
        }
        if let Some(unknown) =
            options.only.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name))
        {
            let names: Vec<&str> = STAGES.iter().map(|stage| stage.name).collect();
            bail!("`{unknown}` is not a stage; there are: {}", names.join(", "));
        }
        Ok(options)
    }

    fn wants(&self, stage: &Stage) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == stage.name)
    }
}

/// How a stage ended.
struct Report {
    stage: &'static Stage,
    count: Count,
    problem: Option<String>,
    took: Duration,
    log: PathBuf,
}

/// Runs the stages; the exit code says whether everything passed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome<u8> {
    if options.list {
        for stage in STAGES {
            println!("{:<16} {}", stage.name, stage.about);
        }
        return Ok(0);
    }
    let began = Instant::now();
    let interrupts = Interrupts::watch()?;
    let found = doctor::examine(workspace, Scope::Ci).context(|| "doctor".into())?;
    println!("doctor: {found}");
    let run = Run::new(workspace, interrupts);
    let lane = |lane: Lane| -> Vec<Report> {
        let wanted = STAGES.iter().filter(|stage| stage.lane == lane && options.wants(stage));
        wanted.map_while(|stage| (!run.interrupts.asked()).then(|| one(&run, stage))).collect()
    };
    // Python waits for processes and disks while cargo compiles; what needs both comes when both are done.
    let mut reports = thread::scope(|scope| {
        let python = scope.spawn(|| lane(Lane::Python));
        let mut reports = lane(Lane::Cargo);
        reports.extend(python.join().unwrap_or_default());
        reports
    });
    reports.extend(lane(Lane::Whole));
    run.finish();
    Ok(conclude(&reports, options, began.elapsed(), run.interrupts.asked()))
}

/// One stage, from its log file to its line.
fn one(run: &Run<'_>, stage: &'static Stage) -> Report {
    let began = Instant::now();
    let log = run.workspace.log(&format!("ci-{}", stage.name)).unwrap_or_default();
    let _ = fs::write(&log, "");
    let (count, problem) = match (stage.work)(run, &log) {
        Ok(count) => (count, None),
        Err(problem) => (Count { failed: 1, ..Count::default() }, Some(problem.to_string())),
    };
    let report = Report { stage, count, problem, took: began.elapsed(), log };
    println!("{}", report.text(run.workspace));
    report
}

impl Report {
    fn good(&self) -> bool {
        self.count.failed == 0 && self.count.skipped == 0 && self.count.passed > 0
    }

    fn text(&self, workspace: &Workspace) -> String {
        let verdict = if self.good() { "ok  " } else { "FAIL" };
        let Count { passed, failed, skipped } = self.count;
        let mut numbers = format!("{passed} passed");
        for (number, word) in [(failed, "failed"), (skipped, "skipped")] {
            if number > 0 {
                numbers.push_str(&format!(", {number} {word}"));
            }
        }
        let line = format!("{verdict}  {:<16} {:>11}   {numbers}", self.stage.name, seconds(self.took));
        if self.good() {
            return line;
        }
        let problem = self.problem.as_deref().map(|text| format!("\n    {text}")).unwrap_or_default();
        let again =
            format!("log: {}   again: cargo ci --only {}", workspace.short(&self.log), self.stage.name);
        format!("{line}{problem}\n{}    {again}", end(&self.log))
    }
}

/// What a failed stage said last.
fn end(log: &Path) -> String {
    tail(log, 30)
}

fn conclude(reports: &[Report], options: &Options, took: Duration, stopped: bool) -> u8 {
    let wanted = STAGES.iter().filter(|stage| options.wants(stage)).count();
    let bad: Vec<&str> =
        reports.iter().filter(|report| !report.good()).map(|report| report.stage.name).collect();
    println!("\n{} of {wanted} stages in {}", reports.len(), seconds(took));
    if stopped {
        println!("stopped before the end");
    }
    if !bad.is_empty() {
        println!("failed: {}", bad.join(", "));
    }
    let sum = reports.iter().fold(Count::default(), |sum, report| sum.plus(report.count));
    // A test that was left out proves nothing: it counts as failed.
    println!("{} passed, {} failed", sum.passed, sum.failed + sum.skipped);
    u8::from(stopped || !bad.is_empty() || reports.len() != wanted)
}
