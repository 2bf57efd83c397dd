//! Spans of sampled requests: which requests those are, and the bounded way to whoever sends them away.
//!
//! Off until the settings name a collector; then a request that is not sampled costs one comparison. The wire format
//! is in `protobuf`, the sending in `exporter`: together a few hundred lines over the HTTP client that is there
//! anyway, in place of the OpenTelemetry SDK, whose traces are still beta, whose batch processor needs a runtime of
//! its own, and which would build its spans for every request before it asks whether anybody wants them.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::exporter::Exporter;
use crate::settings::{Sampler, Telemetry};

/// How long the last spans may take at the end of the process.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// What a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request as the client sees it.
    Server,
    /// One attempt to have it answered by a backend.
    Client,
}

/// A value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A span, as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The trace.
    pub trace: u128,
    /// Its own id.
    pub id: u64,
    /// The span it is part of; 0: none.
    pub parent: u64,
    /// What happens in it.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// What else is known. Nothing personal.
    pub attributes: Vec<(&'static str, Value)>,
    /// Something failed.
    pub failed: bool,
}

/// Decides which requests are traced, and takes their spans.
#[derive(Debug)]
pub struct Traces {
    sampler: Sampler,
    queue: Mutex<Option<Sender<Vec<Span>>>>,
    dropped: Counter,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What became of spans.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    pub(super) sent: Counter,
    pub(super) dropped: Counter,
}

impl Traces {
    /// Starts to send spans to the collector of the settings.
    pub(super) fn start(telemetry: &Telemetry, counters: Counters) -> anyhow::Result<Self> {
        let (queue, inbox) = channel(telemetry.queue);
        let dropped = counters.dropped.clone();
        let exporter = Exporter::new(telemetry, counters)?;
        let thread = std::thread::Builder::new()
            .name("traces".to_owned())
            .spawn(move || run(exporter, inbox))
            .context("cannot start the thread that sends traces")?;
        let (queue, thread) = (Mutex::new(Some(queue)), Mutex::new(Some(thread)));
        Ok(Self { sampler: telemetry.sampler, queue, dropped, thread })
    }

    /// Whether a request is traced: `trace` is its trace id, `caller` what the one who asks decided, if there is one.
    pub fn samples(&self, trace: u128, caller: Option<bool>) -> bool {
        self.sampler.samples(trace, caller)
    }

    /// Takes the spans of a request. Never waits.
    pub fn send(&self, spans: Vec<Span>) {
        let count = spans.len() as u64;
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = queue.as_ref().is_some_and(|queue| queue.try_send(spans).is_ok());
        if !sent {
            self.dropped.inc_by(count);
        }
    }

    /// Sends what waits, for a while.
    pub(super) fn finish(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let deadline = Instant::now() + LAST_SPANS;
        while !thread.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The thread: a runtime of its own, so that neither requests nor the collector wait for each other.
fn run(mut exporter: Exporter, inbox: Receiver<Vec<Span>>) {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(exporter.run(inbox)),
        Err(error) => tracing::error!(%error, "cannot send traces"),
    }
}
