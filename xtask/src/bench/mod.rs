//! `cargo bench-proxy`: Ficus with everything on beside bare pingora, nginx, HAProxy and Envoy, in one run on one box.
//!
//! Rounds are interleaved: each scenario visits every contestant before the next begins, so that whatever else the
//! machine does meets all of them. No test depends on the numbers; what they were is in docs/benchmarks.md.

mod configs;
mod contestants;
mod counts;
mod load;
mod memory;
mod programs;
mod report;
mod site;

use std::fs;
use std::time::Duration;

use crate::problem::{Outcome, bail};
use crate::signals::Interrupts;
use crate::workspace::Workspace;

use contestants::{Contestant, Started};
use load::{Pace, Scenario};
use programs::Programs;
use site::Site;

/// What was asked for on the command line.
#[derive(Debug)]
pub(crate) struct Options {
    rounds: usize,
    seconds: u64,
    per_second: usize,
    workers: usize,
    profile: String,
    only: Vec<String>,
    counts: bool,
}

impl Options {
    /// Reads `[--quick] [--counts] [--rounds N] [--seconds N] [--rate N] [--workers N] [--profile NAME] [--only NAME]...`.
    pub(crate) fn parse(parser: &mut lexopt::Parser) -> Outcome<Self> {
        use lexopt::prelude::*;
        let mut options = Self {
            rounds: 5,
            seconds: 3,
            per_second: 2_000,
            workers: 1,
            profile: "release".into(),
            only: Vec::new(),
            counts: false,
        };
        while let Some(argument) = parser.next()? {
            match argument {
                Long("quick") => (options.rounds, options.seconds) = (1, 1),
                Long("counts") => options.counts = true,
                Long("rounds") => options.rounds = parser.value()?.parse()?,
                Long("seconds") => options.seconds = parser.value()?.parse()?,
                Long("rate") => options.per_second = parser.value()?.parse()?,
                Long("workers") => options.workers = parser.value()?.parse()?,
                Long("profile") => options.profile = parser.value()?.parse()?,
                Long("only") => options.only.push(parser.value()?.parse()?),
                other => return Err(other.unexpected().into()),
            }
        }
        if options.rounds == 0 || options.seconds == 0 || options.workers == 0 {
            bail!("`--rounds`, `--seconds` and `--workers` are at least 1");
        }
        Ok(options)
    }

    /// Whom to measure: everybody, or bare pingora and those named.
    fn contestants(&self) -> Outcome<Vec<Contestant>> {
        if let Some(unknown) =
            self.only.iter().find(|name| contestants::ALL.iter().all(|c| c.name() != **name))
        {
            let names = contestants::ALL.map(Contestant::name).join(", ");
            bail!("`--only {unknown}`: there are {names}");
        }
        let wanted = |who: &Contestant| {
            self.only.is_empty() || *who == Contestant::Bare || self.only.iter().any(|n| n == who.name())
        };
        Ok(contestants::ALL.into_iter().filter(wanted).collect())
    }
}

/// Runs the benchmark and prints its tables.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome {
    let contestants = options.contestants()?;
    let programs = Programs::gather(workspace, &options.profile)?;
    let interrupts = Interrupts::watch()?;
    let site = Site::open(workspace, programs, options.workers)?;
    let outcome =
        if options.counts { counts::run(&site) } else { measure(&site, options, &contestants, &interrupts) };
    site.record.clean_up();
    outcome
}

fn measure(site: &Site, options: &Options, contestants: &[Contestant], interrupts: &Interrupts) -> Outcome {
    let _origin = site.start_origin()?;
    println!("{}", conditions(site, options));
    let mut results = report::Results::default();
    let started: Vec<Started> =
        contestants.iter().map(|who| who.start(site, interrupts)).collect::<Outcome<_>>()?;
    let pace = Pace { seconds: options.seconds, per_second: options.per_second };
    for round in 1..=options.rounds {
        for scenario in load::ALL {
            for at in &started {
                if interrupts.asked() {
                    bail!("stopped");
                }
                eprintln!(
                    "bench-proxy: round {round}/{}: {}: {}",
                    options.rounds,
                    scenario.title(),
                    at.who.name()
                );
                results.add(scenario, at.who, scenario.measure(site, at, pace)?);
            }
        }
    }
    for at in started {
        at.running.stop(Duration::from_secs(5), || interrupts.insisted());
    }
    let mut memories = Vec::new();
    for who in contestants {
        eprintln!("bench-proxy: memory: {}", who.name());
        memories.push((*who, memory::measure(*who, site, interrupts)?));
    }
    let scenarios: Vec<Scenario> = load::ALL.to_vec();
    println!("{}{}", results.render(&scenarios, contestants), report::memory(&memories));
    Ok(())
}

/// What the numbers depend on.
fn conditions(site: &Site, options: &Options) -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    format!(
        "{} rounds of 2 x {} s, medians. {} worker(s) each on processor {}, load and origin on {}; profile {}; load of \
         the machine at the start {load}.\nUnthrottled over 16 connections, then paced at {} requests/s.",
        options.rounds,
        options.seconds,
        site.workers,
        site.proxy_cpus,
        site.load_cpus,
        options.profile,
        options.per_second
    )
}
