//! Memory: how much a contestant needs when it has just been warmed up, and what every idle connection adds.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use crate::problem::{Context, Outcome};
use crate::signals::Interrupts;

use super::contestants::Contestant;
use super::site::Site;

const WARM_UP: usize = 500;
/// Connections that are opened, if this process may have so many files.
const MOST: usize = 4_000;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Memory {
    pub(super) base_mib: f64,
    pub(super) connections: usize,
    pub(super) each_kib: f64,
}

/// Starts a fresh contestant: what earlier load left in its allocator would hide what a connection costs.
pub(super) fn measure(who: Contestant, site: &Site, interrupts: &Interrupts) -> Outcome<Memory> {
    let started = who.start(site, interrupts)?;
    let port = started.ports.http;
    let measured = (|| {
        let mut warm = connect(port)?;
        for _ in 0..WARM_UP {
            ask(&mut warm)?;
        }
        let base = started.running.process.group_rss();
        let wanted = MOST.min(open_files().saturating_sub(200));
        let mut idle = Vec::with_capacity(wanted);
        for _ in 0..wanted {
            let mut stream = connect(port)?;
            ask(&mut stream)?;
            idle.push(stream);
        }
        let full = started.running.process.group_rss();
        let kib = |bytes: u64| bytes as f64 / 1_024.0;
        let each_kib = kib(full.saturating_sub(base)) / idle.len().max(1) as f64;
        Ok(Memory { base_mib: kib(base) / 1_024.0, connections: idle.len(), each_kib })
    })();
    started.running.stop(Duration::from_secs(5), || false);
    measured
}

fn connect(port: u16) -> Outcome<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context(|| "cannot connect".into())?;
    let limited = stream.set_read_timeout(Some(Duration::from_secs(10)));
    limited.context(|| "cannot set a time limit".into())?;
    Ok(stream)
}

/// One small request and its answer; the connection stays open.
fn ask(stream: &mut TcpStream) -> Outcome {
    let exchange = |stream: &mut TcpStream| -> std::io::Result<()> {
        stream.write_all(b"GET /small HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let mut answer = Vec::new();
        let mut buffer = [0; 4_096];
        while !answer.ends_with(&[b'x'; 100]) {
            match stream.read(&mut buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => answer.extend_from_slice(&buffer[..read]),
            }
            if answer.ends_with(b"0\r\n\r\n") {
                break;
            }
        }
        Ok(())
    };
    exchange(stream).context(|| "no answer on a kept connection".into())
}

/// How many files this process may open.
fn open_files() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap_or_default();
    line.split_whitespace().next().and_then(|soft| soft.parse().ok()).unwrap_or(1_024)
}
