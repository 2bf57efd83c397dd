//! The access log: one JSON line per request.
//!
//! Lines go through a bounded channel to a thread of their own. A disk that is slow or full costs lines, which are
//! counted, never a request.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;

use super::Outcome;
use crate::settings;

/// Lines that may wait for the disk.
const WAITING_LINES: usize = 8_192;
/// How long lines are gathered before they are written together.
const BATCH: Duration = Duration::from_millis(20);

enum Message {
    Line(Vec<u8>),
    Reopen,
    End,
}

/// Writes the access log.
#[derive(Debug)]
pub(super) struct AccessLog {
    sender: Option<SyncSender<Message>>,
    dropped: Counter,
    writer: Option<JoinHandle<()>>,
}

/// A line of the log; the order of the fields is the order in the line.
#[derive(Serialize)]
struct Line<'a> {
    ts: String,
    request_id: &'a str,
    trace_id: &'a str,
    method: &'a str,
    route: Option<&'a str>,
    path: &'a str,
    status: Option<u16>,
    backend: Option<&'a str>,
    reason: &'a str,
    revision: u64,
    fallback: Option<&'a str>,
    unrepeatable: Option<&'a str>,
    bucket: Option<u32>,
    t_total_ms: f64,
    t_upstream_ms: Option<f64>,
    bytes: u64,
}

impl AccessLog {
    /// Opens the log; `dropped` counts lines that were lost.
    pub(super) fn open(target: &settings::AccessLog, dropped: Counter) -> anyhow::Result<Self> {
        let output = match target {
            settings::AccessLog::Off => return Ok(Self { sender: None, dropped, writer: None }),
            settings::AccessLog::Stdout => Output::Stdout(BufWriter::new(io::stdout())),
            settings::AccessLog::File(path) => Output::file(path.clone())
                .with_context(|| format!("cannot open the access log `{}`", path.display()))?,
        };
        let (sender, receiver) = sync_channel(WAITING_LINES);
        let lost = dropped.clone();
        let writer = thread::Builder::new()
            .name("access-log".into())
            .spawn(move || write_lines(&receiver, output, &lost))
            .context("cannot start the thread of the access log")?;
        Ok(Self { sender: Some(sender), dropped, writer: Some(writer) })
    }

    /// Adds a line. Never waits.
    pub(super) fn write(&self, outcome: &Outcome<'_>, now: DateTime<Utc>) {
        let Some(sender) = &self.sender else { return };
        let sent = line(outcome, now).is_ok_and(|line| sender.try_send(Message::Line(line)).is_ok());
        if !sent {
            self.dropped.inc();
        }
    }

    /// Opens the file again, after it was renamed away.
    pub(super) fn reopen(&self) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(Message::Reopen);
        }
    }
}

impl Drop for AccessLog {
    /// Writes what is still waiting.
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(Message::End);
        }
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn line(outcome: &Outcome<'_>, now: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(512);
    serde_json::to_writer(
        &mut line,
        &Line {
            ts: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            request_id: outcome.request_id,
            trace_id: outcome.trace_id,
            method: outcome.method,
            route: outcome.route,
            path: outcome.path,
            status: outcome.status,
            backend: outcome.backend,
            reason: outcome.reason,
            revision: outcome.revision,
            fallback: outcome.fallback,
            unrepeatable: outcome.unrepeatable,
            bucket: outcome.bucket,
            t_total_ms: milliseconds(outcome.total),
            t_upstream_ms: outcome.upstream.map(milliseconds),
            bytes: outcome.bytes,
        },
    )?;
    line.push(b'\n');
    Ok(line)
}

/// Milliseconds with three decimals.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1_000.0
}

enum Output {
    Stdout(BufWriter<io::Stdout>),
    File(PathBuf, BufWriter<std::fs::File>),
}

impl Output {
    fn file(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        Ok(Self::File(path, BufWriter::with_capacity(64 * 1024, file)))
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(line),
            Self::File(_, out) => out.write_all(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(_, out) => out.flush(),
        }
    }

    fn reopen(self) -> Self {
        let Self::File(path, mut out) = self else { return self };
        let _ = out.flush();
        match Self::file(path.clone()) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "cannot open the access log again");
                Self::File(path, out)
            }
        }
    }
}

/// Sleeps until there is a line, then writes what comes in batches: waking this thread and calling the system for
/// every line would cost more than the rest of a request's bookkeeping.
fn write_lines(receiver: &Receiver<Message>, mut output: Output, lost: &Counter) {
    let mut troubled = false;
    while let Ok(first) = receiver.recv() {
        let mut waiting = Some(first);
        while let Some(message) = waiting.take().or_else(|| receiver.try_recv().ok()) {
            match message {
                Message::Line(line) => note(output.write(&line), &mut troubled, lost),
                Message::Reopen => output = output.reopen(),
                Message::End => {
                    note(output.flush(), &mut troubled, lost);
                    return;
                }
            }
        }
        note(output.flush(), &mut troubled, lost);
        thread::sleep(BATCH);
    }
}

/// Counts lines that could not be written; says so once per trouble, not once per line.
fn note(result: io::Result<()>, troubled: &mut bool, lost: &Counter) {
    match result {
        Ok(()) => *troubled = false,
        Err(error) => {
            lost.inc();
            if !std::mem::replace(troubled, true) {
                tracing::error!(%error, "cannot write the access log");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn outcome() -> Outcome<'static> {
        Outcome {
            guarded: None,
            request_id: "r-1",
            trace_id: "t-1",
            method: "GET",
            path: "/customers/7",
            route: Some("customers.detail"),
            backend: Some("rust"),
            reason: "canary_bucket",
            revision: 12,
            fallback: None,
            unrepeatable: None,
            bucket: Some(4_711),
            status: Some(200),
            bytes: 5_120,
            total: Duration::from_micros(1_234),
            upstream: Some(Duration::from_micros(1_000)),
        }
    }

    #[test]
    fn a_line_says_who_answered_and_why() {
        let now = DateTime::from_timestamp(1_700_000_000, 5_000_000).unwrap();
        assert_eq!(
            String::from_utf8(line(&outcome(), now).unwrap()).unwrap(),
            concat!(
                r#"{"ts":"2023-11-14T22:13:20.005Z","request_id":"r-1","trace_id":"t-1","method":"GET","#,
                r#""route":"customers.detail","path":"/customers/7","status":200,"backend":"rust","#,
                r#""reason":"canary_bucket","revision":12,"fallback":null,"unrepeatable":null,"#,
                r#""bucket":4711,"t_total_ms":1.234,"t_upstream_ms":1.0,"bytes":5120}"#,
                "\n"
            )
        );
    }

    #[test]
    fn lines_are_all_there_when_the_log_is_dropped() {
        let path = std::env::temp_dir().join(format!("ficus-access-log-{}", std::process::id()));
        let log = AccessLog::open(&settings::AccessLog::File(path.clone()), Counter::default()).unwrap();
        for _ in 0..100 {
            log.write(&outcome(), Utc::now());
        }
        drop(log);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(text.lines().count(), 100);
    }
}
