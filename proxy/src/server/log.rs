//! The program's own log, on stderr: for people at a terminal, JSON for everything else.
//!
//! Nobody waits for the terminal, pipe or disk behind it: see `observe::Lines`.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, reload};

use crate::observe::{Lines, Output};

/// pingora says at `error` that clients leave, and shows what they sent; what matters is in the access log. A
/// directive of the settings for the same target counts more.
///
/// So are h2's: a client can make it write a line with each frame.
const QUIET: &str = "pingora_core=off,pingora_proxy=off,h2=off";
/// The parser of pages would log what is in them; no setting turns that on.
const NEVER: &str = "html5ever=off,markup5ever=off";

/// The running log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    lines: Option<Arc<Lines>>,
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Starts the log; whoever started one before keeps it.
pub(super) fn start(level: &str) -> anyhow::Result<Log> {
    // A process without stderr has nobody to tell.
    let lines = Output::stderr().ok().map(|output| Lines::start("log", output, Counter::default()));
    let lines = lines.transpose().context("cannot start the thread of the log")?.map(Arc::new);
    let (filter, handle) = reload::Layer::new(filter(level));
    let (writer, registry) = (Writer(lines.clone()), tracing_subscriber::registry().with(filter));
    let started = if io::stderr().is_terminal() {
        registry.with(fmt::layer().with_writer(move || writer.clone())).try_init()
    } else {
        registry.with(fmt::layer().json().with_writer(move || writer.clone())).try_init()
    };
    if started.is_err() {
        tracing::debug!("a log was started before");
    }
    Ok(Log { lines, filter: handle })
}

fn filter(level: &str) -> EnvFilter {
    EnvFilter::new(format!("{QUIET},{level},{NEVER}"))
}

impl Log {
    /// Says something to people, as it is.
    pub(super) fn say(&self, text: &str) {
        if let Some(lines) = &self.lines {
            lines.send(text.as_bytes());
        }
    }

    /// The number of lines that were lost.
    pub(super) fn dropped(&self) -> Counter {
        self.lines.as_ref().map(|lines| lines.dropped().clone()).unwrap_or_default()
    }

    /// Logs more or less from now on.
    pub(super) fn set_level(&self, level: &str) {
        if let Err(error) = self.filter.reload(filter(level)) {
            tracing::error!(%error, "the log keeps its level");
        }
    }

    /// Writes what waits.
    pub(super) fn finish(&self) {
        if let Some(lines) = &self.lines {
            lines.finish();
        }
    }
}

#[derive(Clone)]
struct Writer(Option<Arc<Lines>>);

impl Write for Writer {
    /// An event comes in one piece.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(lines) = &self.0 {
            lines.send(line);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
