//! One cell of the table: h2load against one contestant, once as fast as it can (for CPU time and throughput), once at
//! a fixed rate (for latencies: beside a rate that all bear, they can be compared).

use std::fs;
use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::supervise::run_logged;

use super::configs::route;
use super::contestants::Started;
use super::site::{ROUTES, Site};

/// Connections at once over HTTP/1.1; over HTTP/2 a quarter of them with as many streams in all.
const CONNECTIONS: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    Small,
    Large,
    Post,
    PostKept,
    PostUnix,
    Http2,
    Routes,
}

pub(super) const ALL: [Scenario; 7] = [
    Scenario::Small,
    Scenario::Large,
    Scenario::Post,
    Scenario::PostKept,
    Scenario::PostUnix,
    Scenario::Http2,
    Scenario::Routes,
];

/// What one cell gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// CPU microseconds of the proxy per request, unthrottled.
    pub(super) cpu: f64,
    /// Requests a second, unthrottled.
    pub(super) rate: f64,
    /// Microseconds at the fixed rate.
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// CPU microseconds per request at the fixed rate: there is less to do at once.
    pub(super) cpu_paced: f64,
}

/// How long and how fast.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) seconds: u64,
    pub(super) per_second: usize,
}

impl Scenario {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Small => "GET, 100 bytes",
            Self::Large => "GET, 16 KiB",
            Self::Post => "POST, 1 KiB up, 100 bytes down",
            Self::PostKept => "the same, Ficus with reuse_for_writes",
            Self::PostUnix => "the same, origin on a Unix socket",
            Self::Http2 => "GET, 100 bytes, TLS and HTTP/2",
            Self::Routes => "GET, 100 bytes, spread over 1,000 routes",
        }
    }

    /// What is asked for, where it is one thing.
    fn path(self) -> &'static str {
        match self {
            Self::Large => "/16k",
            Self::Post => "/post",
            Self::PostKept => "/kept",
            Self::PostUnix => "/unix",
            Self::Small | Self::Http2 | Self::Routes => "/small",
        }
    }

    /// Runs both halves.
    pub(super) fn measure(self, site: &Site, at: &Started, pace: Pace) -> Outcome<Sample> {
        let fast = self.run(site, at, pace.seconds, None)?;
        let paced = self.run(site, at, pace.seconds, Some(pace.per_second))?;
        Ok(Sample {
            cpu: fast.cpu,
            rate: fast.requests as f64 / fast.seconds,
            p50: percentile(&paced.latencies, 0.5),
            p99: percentile(&paced.latencies, 0.99),
            cpu_paced: paced.cpu,
        })
    }

    fn run(self, site: &Site, at: &Started, seconds: u64, rate: Option<usize>) -> Outcome<Ran> {
        let (log, output) = (site.file("h2load.tsv"), site.file("h2load.log"));
        let _ = fs::remove_file(&log);
        let _ = fs::remove_file(&output);
        let (connections, streams) =
            if self == Self::Http2 { (CONNECTIONS / 4, 4) } else { (CONNECTIONS, 1) };
        let mut command = Command::new("taskset");
        command.args(["-c", &site.load_cpus]).arg(site.programs.h2load());
        command.args(["-c", &connections.to_string(), "-m", &streams.to_string()]);
        command.args(["-D", &seconds.to_string(), "-H", &format!("Cookie: session={}", site.cookie)]);
        command.arg("--log-file").arg(&log).env("LD_LIBRARY_PATH", site.programs.libraries());
        if let Some(rate) = rate {
            command.args(["--rps", &(rate / connections).to_string()]);
        }
        if matches!(self, Self::Post | Self::PostKept | Self::PostUnix) {
            command.arg("-d").arg(site.write("form.txt", &"a=b&c=de&".repeat(114))?);
        }
        match self {
            Self::Http2 => command.arg(format!("https://127.0.0.1:{}{}", at.ports.https, self.path())),
            Self::Routes => {
                let uri = |n| format!("http://127.0.0.1:{}{}{n}\n", at.ports.http, route(n));
                // Neighbours in the file are not neighbours in the table.
                let all: String = (0..ROUTES).map(|n| uri(n * 617 % ROUTES)).collect();
                command.args(["--h1", "-i", &site.write("uris.txt", &all)?])
            }
            _ => command.arg("--h1").arg(format!("http://127.0.0.1:{}{}", at.ports.http, self.path())),
        };
        let before = at.running.process.group_cpu();
        run_logged(&mut command, &output)?;
        let used = at.running.process.group_cpu().saturating_sub(before);
        let text = fs::read_to_string(&output).context(|| "cannot read what h2load said".into())?;
        let latencies = answers(&log)?;
        let failed = failed(&text);
        if latencies.is_empty() || failed > 0 {
            bail!("{}, {}: {failed} requests failed\n{text}", at.who.name(), self.title());
        }
        let requests = latencies.len();
        let cpu = used.as_secs_f64() * 1e6 / requests as f64;
        Ok(Ran { requests, seconds: seconds as f64, cpu, latencies })
    }
}

struct Ran {
    requests: usize,
    seconds: f64,
    cpu: f64,
    latencies: Vec<u32>,
}

/// Latencies in microseconds, sorted, from h2load's file of requests; what is not 2xx is an error.
fn answers(log: &std::path::Path) -> Outcome<Vec<u32>> {
    let text = fs::read_to_string(log).context(|| format!("cannot read `{}`", log.display()))?;
    let mut latencies = Vec::new();
    for line in text.lines() {
        let mut words = line.split('\t').skip(1);
        let (status, taken) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        match (status.starts_with('2'), taken.parse()) {
            (true, Ok(taken)) => latencies.push(taken),
            // The last ones are cut off by the end of the time.
            _ if status == "-1" => {}
            _ => bail!("a request was answered with status {status}"),
        }
    }
    latencies.sort_unstable();
    Ok(latencies)
}

/// `requests: 10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout` -> 0.
fn failed(text: &str) -> usize {
    let line = text.lines().find(|line| line.starts_with("requests:")).unwrap_or_default();
    let number = |word: &str| {
        let part = line.split(", ").find(|part| part.ends_with(word))?;
        part.split(' ').next()?.parse::<usize>().ok()
    };
    number("failed").unwrap_or(1)
}

fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).map_or(0.0, |value| f64::from(*value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_h2load_says() {
        let text = "requests: 9 total, 9 started, 9 done, 7 succeeded, 2 failed, 1 errored, 0 timeout\n";
        assert_eq!(failed(text), 2);
        assert_eq!(failed("nonsense"), 1);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        assert_eq!(percentile(&[1, 2, 3, 4], 0.5), 3.0);
        assert_eq!(percentile(&[1, 2, 3, 4], 0.99), 4.0);
        assert_eq!(percentile(&[], 0.5), 0.0);
    }
}
