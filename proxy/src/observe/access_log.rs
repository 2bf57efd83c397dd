//! The access log: one line per request, JSON or the common format.
//!
//! How lines reach the disk without anybody waiting for it is in `lines`.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use prometheus_client::metrics::counter::Counter;

use super::Outcome;
use super::json;
use super::lines::{Lines, Output};
use crate::settings::{self, LogFormat, LogPaths};

/// Writes the access log.
#[derive(Debug)]
pub(super) struct AccessLog {
    lines: Option<Lines>,
    format: LogFormat,
    paths: LogPaths,
}

thread_local! {
    /// Where the next line is made; lines are copied to those that wait.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
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
            LogFormat::Common => lines.send(&common(outcome, path, now)),
            LogFormat::Json => LINE.with_borrow_mut(|text| {
                text.clear();
                line(text, outcome, path, now);
                lines.send(text);
            }),
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

/// What stands before the value of a field.
macro_rules! named {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

/// The order of the fields is the order in the line.
fn line(text: &mut Vec<u8>, outcome: &Outcome<'_>, path: &str, now: DateTime<Utc>) {
    text.extend_from_slice(br#"{"ts":""#);
    json::time(text, now);
    text.push(b'"');
    string(text, named!("request_id"), Some(outcome.request_id));
    string(text, named!("trace_id"), Some(outcome.trace_id));
    string(text, named!("method"), Some(outcome.method));
    string(text, named!("route"), outcome.route);
    string(text, named!("path"), Some(path));
    number(text, named!("status"), outcome.status.map(u64::from));
    string(text, named!("backend"), outcome.backend);
    string(text, named!("reason"), Some(outcome.reason));
    number(text, named!("revision"), Some(outcome.revision));
    if (outcome.fallback, outcome.unrepeatable, outcome.unkept) == (None, None, None) {
        text.extend_from_slice(br#","fallback":null,"unrepeatable":null,"unkept":null"#);
    } else {
        string(text, named!("fallback"), outcome.fallback);
        string(text, named!("unrepeatable"), outcome.unrepeatable);
        string(text, named!("unkept"), outcome.unkept);
    }
    number(text, named!("bucket"), outcome.bucket.map(u64::from));
    milliseconds(text, named!("t_total_ms"), Some(outcome.total));
    milliseconds(text, named!("t_upstream_ms"), outcome.upstream);
    number(text, named!("bytes"), Some(outcome.bytes));
    text.extend_from_slice(b"}\n");
}

fn string(text: &mut Vec<u8>, named: &'static [u8], value: Option<&str>) {
    text.extend_from_slice(named);
    match value {
        Some(value) => json::string(text, value),
        None => text.extend_from_slice(b"null"),
    }
}

fn number(text: &mut Vec<u8>, named: &'static [u8], value: Option<u64>) {
    text.extend_from_slice(named);
    match value {
        Some(value) => json::number(text, value),
        None => text.extend_from_slice(b"null"),
    }
}

fn milliseconds(text: &mut Vec<u8>, named: &'static [u8], value: Option<Duration>) {
    text.extend_from_slice(named);
    match value {
        Some(value) => json::milliseconds(text, value),
        None => text.extend_from_slice(b"null"),
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

    fn text(outcome: &Outcome<'_>, path: &str, now: DateTime<Utc>) -> String {
        let mut text = Vec::new();
        line(&mut text, outcome, path, now);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn whatever_is_in_it_a_line_is_json() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for path in ["/", "/\"a\\b\"", "/\u{1}\n\t\u{7f}", "/\u{e9}\u{1f331}", ""] {
            let outcome = Outcome { route: None, status: None, bucket: None, upstream: None, ..outcome() };
            let read: serde_json::Value = serde_json::from_str(&text(&outcome, path, now)).unwrap();
            assert_eq!(read["path"], path);
            assert!(read["route"].is_null() && read["t_upstream_ms"].is_null());
        }
    }

    #[test]
    fn a_line_says_who_answered_and_why() {
        let now = DateTime::from_timestamp(1_700_000_000, 5_000_000).unwrap();
        assert_eq!(
            text(&outcome(), "/customers/7", now),
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
    fn what_is_rare_is_in_its_place() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let rare = Outcome { fallback: Some("timeout"), unkept: Some("too_large"), ..outcome() };
        let expected =
            r#","revision":12,"fallback":"timeout","unrepeatable":null,"unkept":"too_large","bucket":"#;
        assert!(text(&rare, "/", now).contains(expected));
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
