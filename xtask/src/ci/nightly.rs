//! `cargo xtask nightly`: what takes too long for `cargo ci`. Random URL maps against the real Werkzeug, in shards with
//! seeds of their own; every fuzz target for as long as was asked; and further checks that run for hours ([`SOAKS`]). Each
//! shard is a line with its count; the last line is the sum, and the exit code says whether everything agreed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::problem::{Context, Outcome, bail};
use crate::progress::seconds;
use crate::python;
use crate::signals::Interrupts;
use crate::supervise::tail;
use crate::trials::{EQUAL_RATE, FAULTS_RATE, Trials, summaries};
use crate::workspace::Workspace;

use super::count::{self, Count};
use super::job::{Job, Run};

/// A check that runs as long as it is told: its name, and what it runs.
type Soak = (&'static str, fn(&Run<'_>, &Path, Duration) -> Outcome<Count>);

/// Soaks beside the fuzzing; another suite adds an entry.
const SOAKS: &[Soak] = &[("fleet chaos", fleet_chaos), ("trials", trials), ("aa", equal_sides)];

/// Trials of each fault, if there is time.
const TRIALS: u64 = 50;
/// One of them takes this long, all three faults and several beside each other.
const TRIAL: Duration = Duration::from_secs(6);

/// Answers compared per version of Werkzeug in one shard.
const SHARD: u64 = 100_000;
const VERSIONS: [&str; 4] = ["werkzeug-1.0", "werkzeug-2.3", "werkzeug-3.0", "werkzeug-3.1"];

/// Fleets of real nodes over PostgreSQL, with another seed as long as there is time.
fn fleet_chaos(run: &Run<'_>, log: &Path, time: Duration) -> Outcome<Count> {
    let name = "chaos::whatever_happens_nothing_that_was_rolled_back_comes_back_and_all_agree_in_the_end";
    let arguments = ["test", "--workspace", "--test", "control", "--", "--nocapture", "--exact", name];
    let days = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 86_400);
    let job = run.cargo(log, &arguments)?.with_postgres()?;
    let job = job.env("FICUS_CHAOS_SECONDS", time.as_secs().to_string());
    job.env("FICUS_CHAOS_FROM", (days * 10_000).to_string()).tests(count::cargo_test)
}

/// What was asked for on the command line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    comparisons: u64,
    fuzz: Duration,
    soak: Duration,
    seed: Option<u64>,
}

impl Options {
    /// Reads `[--comparisons N] [--fuzz-seconds N] [--soak-seconds N] [--seed N]`.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let (fuzz, soak) = (Duration::from_secs(300), Duration::from_secs(3600));
        let mut options = Self { comparisons: 10_000_000, fuzz, soak, seed: None };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("comparisons") => options.comparisons = parser.value()?.parse()?,
                Long("fuzz-seconds") => options.fuzz = Duration::from_secs(parser.value()?.parse()?),
                Long("soak-seconds") => options.soak = Duration::from_secs(parser.value()?.parse()?),
                Long("seed") => options.seed = Some(parser.value()?.parse()?),
                other => return Err(other.unexpected().into()),
            }
        }
        Ok(options)
    }
}

/// What came of everything.
#[derive(Default)]
struct Sum {
    compared: u64,
    fuzzed: usize,
    bad: Vec<String>,
}

/// Runs everything; the exit code says whether everything agreed.
pub(crate) fn run(workspace: &Workspace, options: Options) -> Outcome<u8> {
    let began = Instant::now();
    let run = Run::new(workspace, Interrupts::watch()?);
    let log = workspace.log("nightly")?;
    fs::write(&log, "").context(|| format!("cannot write `{}`", workspace.short(&log)))?;
    // Another place every night, unless one is to be had again.
    let day = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() / 86_400);
    let seed = options.seed.unwrap_or(day);
    println!("seed {seed}; again: cargo xtask nightly --seed {seed}; log: {}", workspace.short(&log));
    let mut sum = Sum::default();
    compare(&run, &log, (options.comparisons, seed), &mut sum)?;
    fuzz(&run, &log, (options.fuzz, seed), &mut sum)?;
    for (name, soak) in SOAKS.iter().filter(|_| !options.soak.is_zero()) {
        if run.interrupts.asked() {
            break;
        }
        let count = soak(&run, &log, options.soak)?;
        println!("{name}: {} passed, {} failed", count.passed, count.failed);
        sum.bad.extend((count.failed > 0).then(|| (*name).to_owned()));
    }
    let stopped = run.interrupts.asked();
    run.finish();
    if !sum.bad.is_empty() {
        println!("{}\nfailed: {}", tail(&log, 40), sum.bad.join(", "));
    }
    println!(
        "{} answers compared, {} inputs fuzzed, {} soaks, {} failures{} in {}",
        sum.compared,
        sum.fuzzed,
        SOAKS.len(),
        sum.bad.len(),
        if stopped { ", stopped before the end," } else { "" },
        seconds(began.elapsed())
    );
    Ok(u8::from(stopped || !sum.bad.is_empty()))
}

/// Faults at 5 % of requests roll back: as many trials as the time allows, at most [`TRIALS`] of each.
fn trials(run: &Run<'_>, log: &Path, time: Duration) -> Outcome<Count> {
    let count = (time.as_secs() / TRIAL.as_secs()).clamp(3, TRIALS);
    guarded(run, log, Trials::Faults { count, rate: FAULTS_RATE })
}

/// Equal sides never trip, for the whole time.
fn equal_sides(run: &Run<'_>, log: &Path, time: Duration) -> Outcome<Count> {
    guarded(run, log, Trials::Equal { seconds: time.as_secs().max(5), rate: EQUAL_RATE })
}

fn guarded(run: &Run<'_>, log: &Path, trials: Trials) -> Outcome<Count> {
    let (arguments, [much, rate]) = trials.test();
    let ended = run.cargo(log, &arguments)?.env(much.0, much.1).env(rate.0, rate.1).run()?;
    summaries(&ended.output).for_each(|line| println!("  {line}"));
    let count = count::cargo_test(&ended.output);
    if count.total() == 0 || (!ended.success && count.failed == 0) {
        bail!("the guard trials were not run to their end; see `{}`", run.workspace.short(log));
    }
    Ok(count)
}

/// The differential test, a shard after another.
fn compare(run: &Run<'_>, log: &Path, (comparisons, seed): (u64, u64), sum: &mut Sum) -> Outcome {
    for environment in VERSIONS {
        python::ensure(run.workspace, environment)?;
    }
    let per_version = comparisons.div_ceil(VERSIONS.len() as u64);
    let shards = per_version.div_ceil(SHARD);
    for shard in 0..shards {
        if run.interrupts.asked() {
            return Ok(());
        }
        let count = SHARD.min(per_version - shard * SHARD);
        // Far enough from each other that no two shards, of no two nights, have a case in common.
        let start = 1 + (seed * 10_000 + shard) * 10_000_000;
        let arguments = [
            "test",
            "--workspace",
            "--test",
            "routing",
            "--",
            "--nocapture",
            "--exact",
            "agrees_with_real_werkzeug",
        ];
        let job = run.cargo(log, &arguments)?.env("FICUS_WERKZEUG_PYTHONS", "target/python");
        let job = job.env("FICUS_ROUTING_COMPARISONS", count.to_string());
        let ended = job.env("FICUS_ROUTING_SEED", start.to_string()).run()?;
        let compared = count::sum_before(&ended.output, "answers agree") as u64;
        sum.compared += compared;
        let good = ended.success && compared >= count * VERSIONS.len() as u64;
        if !good {
            sum.bad.push(format!("routing (seed {start})"));
        }
        let word = if good { "agree" } else { "DISAGREE" };
        println!("routing {}/{shards}: {} answers {word}, {} in all", shard + 1, compared, sum.compared);
    }
    Ok(())
}

/// All fuzz targets beside each other, as many as there are processors.
fn fuzz(run: &Run<'_>, log: &Path, (time, seed): (Duration, u64), sum: &mut Sum) -> Outcome {
    if time.is_zero() || run.interrupts.asked() {
        return Ok(());
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    println!("fuzz: every target for {}, {threads} at a time", seconds(time));
    let threads = format!("--test-threads={threads}");
    let arguments = ["test", "--workspace", "--test", "fuzz", "--", "--nocapture", &threads];
    let job: Job<'_> = run.cargo(log, &arguments)?.env("FUZZ_SECONDS", time.as_secs().to_string());
    let ended = job.env("FUZZ_SEED", seed.to_string()).run()?;
    let lines = ended.output.lines().filter(|line| line.contains("fuzz ") && line.ends_with("inputs run"));
    for line in lines {
        println!("{}", line.split_at(line.find("fuzz ").unwrap_or(0)).1);
    }
    sum.fuzzed += count::sum_before(&ended.output, "inputs run");
    let tests = count::cargo_test(&ended.output);
    if tests.passed == 0 {
        bail!("no fuzz target was run; see `{}`", run.workspace.short(log));
    }
    if !ended.success {
        sum.bad.push("fuzz".to_owned());
    }
    Ok(())
}
