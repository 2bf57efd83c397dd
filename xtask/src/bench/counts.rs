//! `cargo bench-proxy --counts`: instructions, allocations and system calls per request of bare pingora and Ficus.
//!
//! Unlike times they do not depend on what else the machine does. Each number is the difference between a run with few
//! requests and one with many, over one kept connection, so that start and stop do not count.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::debian::{self, on_path};
use crate::problem::{Context, Outcome, Problem, bail};
use crate::processes::Process;

use super::contestants::{Contestant, Ports};
use super::site::{SECRET, Site, free_port};

const FEW: usize = 500;
const MANY: usize = 2_500;
/// Under valgrind everything takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is counted.
#[derive(Clone, Copy)]
enum Count {
    Instructions,
    Allocations,
    Calls,
}

/// Counts and prints.
pub(super) fn run(site: &Site) -> Outcome {
    for needed in ["valgrind", "strace"] {
        if on_path(needed).is_none() {
            bail!("`{needed}` is missing; {}", debian::line(&["valgrind", "strace"]));
        }
    }
    let _origin = site.start_origin()?;
    println!("| per request | instructions | allocations | system calls |\n|---|---:|---:|---:|");
    let mut all = Vec::new();
    for who in [Contestant::Bare, Contestant::Ficus] {
        let mut row = Vec::new();
        for count in [Count::Instructions, Count::Allocations, Count::Calls] {
            let few = measure(site, who, count, FEW)?;
            let many = measure(site, who, count, MANY)?;
            row.push(many.saturating_sub(few) as f64 / (MANY - FEW) as f64);
        }
        println!("| {} | {:.0} | {:.1} | {:.2} |", who.name(), row[0], row[1], row[2]);
        all.push(row);
    }
    let ratio = |n: usize| all[1][n] / all[0][n];
    println!("| ratio | {:.2} | {:.2} | {:.2} |", ratio(0), ratio(1), ratio(2));
    Ok(())
}

fn measure(site: &Site, who: Contestant, count: Count, requests: usize) -> Outcome<u64> {
    eprintln!("bench-proxy: {}, {requests} requests", who.name());
    let ports = Ports { http: free_port()?, https: free_port()? };
    let (told, log) = (site.file("counts.txt"), site.file("counts.log"));
    let _ = fs::remove_file(&told);
    let option = |name: &str| format!("--{name}={}", told.display());
    let wrapper = match count {
        Count::Instructions => {
            let out = format!("--callgrind-out-file={}", site.file("callgrind.out").display());
            vec!["valgrind".into(), "--tool=callgrind".into(), out, option("log-file")]
        }
        Count::Allocations => {
            let quick = ["--undef-value-errors=no", "--leak-check=no"].map(String::from);
            [vec!["valgrind".into()], quick.to_vec(), vec![option("log-file")]].concat()
        }
        Count::Calls => ["strace", "-f", "-c", "-o"]
            .map(String::from)
            .into_iter()
            .chain([told.display().to_string()])
            .collect(),
    };
    // As many threads as in the benchmark proper: Ficus takes one for each processor it has.
    let on_cpus = ["taskset", "-c", &site.proxy_cpus].map(String::from);
    let wrapper = [on_cpus.to_vec(), wrapper].concat();
    let words = who.words(site, ports)?;
    let output = fs::File::create(&log).context(|| format!("cannot write `{}`", log.display()))?;
    let mut command = Command::new(&wrapper[0]);
    command.args(&wrapper[1..]).args(&words).current_dir(&site.folder).env("FLASK_SECRET_KEY", SECRET);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output);
    let child = command.spawn().context(|| format!("cannot start `{}`", wrapper[0]))?;
    let asked = ask(ports.http, requests, &site.cookie);
    stop(child)?;
    asked?;
    let text = fs::read_to_string(&told).context(|| format!("cannot read `{}`", told.display()))?;
    read(count, &text).ok_or_else(|| Problem::new(format!("no count in `{}`", told.display())))
}

/// Sends requests over one connection, as soon as somebody listens.
fn ask(port: u16, requests: usize, cookie: &str) -> Outcome {
    let deadline = Instant::now() + PATIENCE;
    let mut stream = loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => break stream,
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            Err(error) => bail!("nobody listens: {error}"),
        }
    };
    let request = format!("GET /r0617/617 HTTP/1.1\r\nHost: localhost\r\nCookie: session={cookie}\r\n\r\n");
    let exchange = |stream: &mut TcpStream| -> std::io::Result<()> {
        stream.write_all(request.as_bytes())?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4_096]);
        while !answer.ends_with(&[b'x'; 100]) {
            match stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => answer.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(())
    };
    let timed = stream.set_read_timeout(Some(PATIENCE));
    timed.and_then(|()| (0..requests).try_for_each(|_| exchange(&mut stream))).context(|| "no answer".into())
}

/// SIGINT: pingora would wait five minutes after SIGTERM.
fn stop(mut child: Child) -> Outcome {
    // strace does not pass signals on to what it watches; its only child is what we mean.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let watched = children.split_whitespace().next().and_then(|pid| pid.parse().ok()).unwrap_or(child.id());
    if let Some(process) = Process::find(watched) {
        process.signal("INT");
    }
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().context(|| "cannot wait".into())?.is_none() {
        if Instant::now() > deadline {
            child.kill().context(|| "cannot end it".into())?;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// `Collected : 123`, `total heap usage: 1,234 allocs`, the sum of strace's column `calls`.
fn read(count: Count, text: &str) -> Option<u64> {
    let number = |text: &str| text.trim().replace(',', "").parse::<u64>().ok();
    match count {
        Count::Instructions => number(text.lines().find_map(|line| line.split("Collected : ").nth(1))?),
        Count::Allocations => {
            let line = text.lines().find_map(|line| line.split("total heap usage: ").nth(1))?;
            number(line.split(" allocs").next()?)
        }
        Count::Calls => {
            let total = text.lines().rev().find(|line| line.ends_with("total"))?;
            total.split_whitespace().nth(3).and_then(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_tools_say() {
        assert_eq!(read(Count::Instructions, "==1== Collected : 4711\n"), Some(4_711));
        let heap = "==1==   total heap usage: 2,001 allocs, 1 frees, 9 bytes allocated\n";
        assert_eq!(read(Count::Allocations, heap), Some(2_001));
        let calls = "------ ----------- ----------- --------- --------- ------\n100.00    0.010000           5      2000        10 total\n";
        assert_eq!(read(Count::Calls, calls), Some(2_000));
    }
}
