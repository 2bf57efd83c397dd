//! Signals, and a stop that cuts nobody off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use pingora::apps::HttpServerApp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::gateway;

/// The signals this process listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen; must be called inside a runtime.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Returns when the process shall stop; calls `on_hangup` for each SIGHUP until then.
    pub(super) async fn stop(&mut self, on_hangup: impl Fn()) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => on_hangup(),
            }
        }
    }
}

/// What a stop acts on.
pub(super) struct Stop<'a> {
    pub(super) draining: &'a AtomicBool,
    pub(super) closing: &'a watch::Sender<bool>,
    pub(super) connected: &'a mut mpsc::Receiver<()>,
    pub(super) patience: Duration,
}

/// How a stop ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Every request was answered.
    Clean,
    /// Time was up, or a second signal came.
    Cut,
}

impl Stop<'_> {
    /// Closes the listeners, answers what has begun, and ends with the last answer.
    pub(super) async fn run<A: HttpServerApp + Sync>(self, app: &A, signals: &mut Signals) -> Stopped {
        let deadline = Instant::now() + self.patience;
        self.draining.store(true, Ordering::Release);
        let _ = self.closing.send(true);
        let drained = async {
            tokio::select! {
                _ = self.connected.recv() => {}
                () = sleep(gateway::kept::LAST_REQUESTS) => {
                    app.http_cleanup().await;
                    let _ = self.connected.recv().await;
                }
            }
            gateway::goodbyes_said().await;
        };
        tokio::select! {
            ended = timeout_at(deadline, drained) => if ended.is_ok() { Stopped::Clean } else { Stopped::Cut },
            () = signals.stop(|| {}) => Stopped::Cut,
        }
    }
}
