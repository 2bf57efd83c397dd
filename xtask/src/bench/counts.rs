//! `cargo bench-proxy --counts`: instructions, allocations and system calls per request of bare pingora and Ficus.
//!
//! Unlike times they do not depend on what else the machine does. Each number is the difference between a run with few
//! requests and one with many, over one kept connection, so that start and stop do not count.

use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
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

/// What counts.
#[derive(Clone, Copy)]
enum Tool {
    /// Instructions, and calls of Rust's allocator whatever is behind it.
    Callgrind,
    Strace,
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
        for tool in [Tool::Callgrind, Tool::Strace] {
            let few = measure(site, who, tool, FEW)?;
            let many = measure(site, who, tool, MANY)?;
            let each = |(few, many): (&u64, &u64)| many.saturating_sub(*few) as f64 / (MANY - FEW) as f64;
            row.extend(few.iter().zip(&many).map(each));
        }
        println!("| {} | {:.0} | {:.1} | {:.2} |", who.name(), row[0], row[1], row[2]);
        all.push(row);
    }
    let ratio = |n: usize| all[1][n] / all[0][n];
    println!("| ratio | {:.2} | {:.2} | {:.2} |", ratio(0), ratio(1), ratio(2));
    Ok(())
}

fn measure(site: &Site, who: Contestant, tool: Tool, requests: usize) -> Outcome<Vec<u64>> {
    eprintln!("bench-proxy: {}, {requests} requests", who.name());
    let ports = Ports { http: free_port()?, https: free_port()? };
    let (told, called, log) = (site.file("counts.txt"), site.file("callgrind.out"), site.file("counts.log"));
    let _ = fs::remove_file(&told);
    let (told_to, called_to) = (told.display().to_string(), called.display().to_string());
    let wrapper: Vec<String> = match tool {
        Tool::Callgrind => {
            let options = [format!("--callgrind-out-file={called_to}"), format!("--log-file={told_to}")];
            ["valgrind", "--tool=callgrind"].map(String::from).into_iter().chain(options).collect()
        }
        Tool::Strace => ["strace", "-f", "-c", "-o", &told_to].map(String::from).to_vec(),
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
    let text = |path: &Path| fs::read_to_string(path).context(|| format!("cannot read `{}`", path.display()));
    let counted = match tool {
        Tool::Callgrind => instructions(&text(&told)?).map(|n| vec![n, 0]),
        Tool::Strace => calls(&text(&told)?).map(|n| vec![n]),
    };
    let mut counted = counted.ok_or_else(|| Problem::new(format!("no count in `{}`", told.display())))?;
    if let Some(last) = counted.get_mut(1) {
        *last = allocations(&text(&called)?);
    }
    Ok(counted)
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

fn number(text: &str) -> Option<u64> {
    text.trim().replace(',', "").parse().ok()
}

/// `==1== Collected : 123`.
fn instructions(text: &str) -> Option<u64> {
    number(text.lines().find_map(|line| line.split("Collected : ").nth(1))?)
}

/// The sum of strace's column `calls`.
fn calls(text: &str) -> Option<u64> {
    let total = text.lines().rev().find(|line| line.ends_with("total"))?;
    number(total.split_whitespace().nth(3)?)
}

/// How often functions of Rust's allocator were called, from callgrind's file: a name follows its number when it comes
/// for the first time, `calls=` follows the function that was called.
fn allocations(text: &str) -> u64 {
    let mut ours = HashSet::new();
    let (mut called_ours, mut sum) = (false, 0);
    for line in text.lines() {
        let (key, value) = line.split_once('=').unwrap_or_default();
        match key {
            "fn" | "cfn" => {
                let (id, name) = value.split_once(' ').unwrap_or((value, ""));
                let allocates = ["__rust_alloc", "__rust_realloc"].iter().any(|own| name.contains(own));
                if allocates && !name.contains("dealloc") {
                    ours.insert(id.to_owned());
                }
                called_ours = key == "cfn" && ours.contains(id);
            }
            "calls" if called_ours => {
                sum += value.split(' ').next().and_then(number).unwrap_or(0);
            }
            _ => {}
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_tools_say() {
        assert_eq!(instructions("==1== Collected : 4711\n"), Some(4_711));
        let total = "100.00    0.010000           5      2000        10 total\n";
        assert_eq!(calls(&format!("------ ------\n{total}")), Some(2_000));
    }

    #[test]
    fn counts_calls_of_the_allocator() {
        let text = "fn=(1) main\n1 10\ncfn=(2) __rustc::__rust_alloc\ncalls=3 0\n1 9\ncfn=(3) other\ncalls=100 0\n1 5\n\
                    fn=(4) again\ncfn=(2)\ncalls=4 0\n1 1\n";
        assert_eq!(allocations(text), 7);
    }
}
