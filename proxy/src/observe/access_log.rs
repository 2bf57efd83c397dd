//! The access log: one line per request, JSON or the common format.
//!
//! How lines reach the disk without anybody waiting for it is in `lines`.

use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use prometheus_client::metrics::counter::Counter;
use serde::Serialize;

use super::Outcome;
use super::lines::{Lines, Output};
use crate::settings::{self, LogFormat, LogPaths};

/// Writes the access log.
#[derive(Debug)]
pub(super) struct AccessLog {
    lines: Option<Lines>,
    format: LogFormat,
    paths: LogPaths,
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
    unkept: Option<&'a str>,
    bucket: Option<u32>,
    t_total_ms: f64,
    t_upstream_ms: Option<f64>,
    bytes: u64,
}

impl AccessLog {
    /// Opens the log; `dropped` counts lines that were lost.
    pub(super) fn open(log: &settings::Log, dropped: Counter) -> anyhow::Result<Self> {
        let output = match &log.access {
            settings::AccessLog::Off => None,
            settings::AccessLog::Stdout => Some(Output::stdout().context("there is no standard output")?),
            settings::AccessLog::File(path) => {
                let output = Output::file(path);
                Some(output.with_context(|| format!("cannot open the access log `{}`", path.display()))?)
            }
        };
        let lines = output.map(|output| Lines::start("access-log", output, dropped)).transpose();
        let lines = lines.context("cannot start the thread of the access log")?;
        Ok(Self { lines, format: log.format, paths: log.paths })
    }

    /// Adds a line. Never waits.
    pub(super) fn write(&self, outcome: &Outcome<'_>, now: DateTime<Utc>) {
        let Some(lines) = &self.lines else { return };
        let path = match self.paths {
            LogPaths::Full => outcome.path,
            LogPaths::Rule => outcome.rule.unwrap_or(super::NONE),
        };
        match self.format {
            LogFormat::Common => lines.send(common(outcome, path, now)),
            LogFormat::Json => match line(outcome, path, now) {
                Ok(line) => lines.send(line),
                Err(_) => lines.lost(),
            },
        }
    }

    /// Opens the file again, after it was renamed away.
    pub(super) fn reopen(&self) {
        if let Some(lines) = &self.lines {
            lines.reopen();
        }
    }

    /// Writes what waits, at the end of the process.
    pub(super) fn finish(&self) {
        if let Some(lines) = &self.lines {
            lines.finish();
        }
    }
}

/// The common log format. It has places for the client's address and for the user, which no log of ours names.
fn common(outcome: &Outcome<'_>, path: &str, now: DateTime<Utc>) -> Vec<u8> {
    let (method, protocol, bytes) = (outcome.method, outcome.protocol, outcome.bytes);
    let time = now.format("%d/%b/%Y:%H:%M:%S +0000");
    // 499 is what nginx calls a client that did not wait.
    let status = outcome.status.unwrap_or(499);
    let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
    format!("- - - [{time}] \"{method} {quoted} {protocol}\" {status} {bytes}\n").into_bytes()
}

fn line(outcome: &Outcome<'_>, path: &str, now: DateTime<Utc>) -> serde_json::Result<Vec<u8>> {
    let mut line = Vec::with_capacity(512);
    serde_json::to_writer(
        &mut line,
        &Line {
            ts: now.to_rfc3339_opts(SecondsFormat::Millis, true),
            request_id: outcome.request_id,
            trace_id: outcome.trace_id,
            method: outcome.method,
            route: outcome.route,
            path,
            status: outcome.status,
            backend: outcome.backend,
            reason: outcome.reason,
            revision: outcome.revision,
            fallback: outcome.fallback,
            unrepeatable: outcome.unrepeatable,
            unkept: outcome.unkept,
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

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn outcome() -> Outcome<'static> {
        Outcome {
            guarded: None,
            request_id: "r-1",
            trace_id: "t-1",
            sampled: false,
            method: "GET",
            path: "/customers/7",
            protocol: "HTTP/1.1",
            rule: Some("/customers/<int:id>"),
            route: Some("customers.detail"),
            backend: Some("rust"),
            reason: "canary_bucket",
            revision: 12,
            fallback: None,
            unrepeatable: None,
            unkept: None,
            session: false,
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
            String::from_utf8(line(&outcome(), "/customers/7", now).unwrap()).unwrap(),
            concat!(
                r#"{"ts":"2023-11-14T22:13:20.005Z","request_id":"r-1","trace_id":"t-1","method":"GET","#,
                r#""route":"customers.detail","path":"/customers/7","status":200,"backend":"rust","#,
                r#""reason":"canary_bucket","revision":12,"fallback":null,"unrepeatable":null,"unkept":null,"#,
                r#""bucket":4711,"t_total_ms":1.234,"t_upstream_ms":1.0,"bytes":5120}"#,
                "\n"
            )
        );
    }

    #[test]
    fn the_common_format_names_nobody() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        assert_eq!(
            String::from_utf8(common(&outcome(), "/a\"b", now)).unwrap(),
            "- - - [14/Nov/2023:22:13:20 +0000] \"GET /a\\\"b HTTP/1.1\" 200 5120\n"
        );
    }
}
