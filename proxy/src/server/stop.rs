//! Signals, and a stop that cuts nobody off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use pingora::apps::HttpServerApp;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout_at};

use crate::admin::Ask;
use crate::gateway;

/// How long kept connections may still bring one more request, which is answered with `Connection: close`. Without
/// it, a client that sends its next request at this very moment would find its connection closed.
const LAST_REQUESTS: Duration = Duration::from_millis(250);
/// The same after an upgrade, when nobody waits for this process to end.
const LAST_REQUESTS_OF_OLD: Duration = Duration::from_secs(10);

/// How long kept connections may bring one more request; `replaced`: another process has taken over.
pub(super) fn last_requests(replaced: bool, patience: Duration) -> Duration {
    if replaced { LAST_REQUESTS_OF_OLD } else { LAST_REQUESTS }.min(patience / 2)
}

/// The signals this process listens to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    upgrade: Signal,
}

/// What the process is asked to do.
#[derive(Debug)]
pub(super) enum Event {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reload,
    /// SIGUSR2.
    Upgrade,
    /// Something over the admin socket.
    Asked(Ask),
}

impl Signals {
    /// Begins to listen; must be called inside a runtime.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen to signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
            upgrade: listen(SignalKind::user_defined2())?,
        })
    }

    /// What is asked for next.
    pub(super) async fn next(&mut self, asks: &mut mpsc::Receiver<Ask>) -> Event {
        tokio::select! {
            _ = self.terminate.recv() => Event::Stop,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.hangup.recv() => Event::Reload,
            _ = self.upgrade.recv() => Event::Upgrade,
            Some(ask) = asks.recv() => Event::Asked(ask),
        }
    }

    /// Returns when the process shall stop.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What a stop acts on.
pub(super) struct Stop<'a> {
    pub(super) draining: &'a AtomicBool,
    pub(super) closing: &'a watch::Sender<bool>,
    pub(super) connected: &'a mut mpsc::Receiver<()>,
    pub(super) patience: Duration,
    /// Another process has taken over.
    pub(super) replaced: bool,
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
        let last_requests = last_requests(self.replaced, self.patience);
        let drained = async {
            tokio::select! {
                _ = self.connected.recv() => {}
                () = sleep(last_requests) => {
                    app.http_cleanup().await;
                    let _ = self.connected.recv().await;
                }
            }
            gateway::goodbyes_said().await;
        };
        let insisted = async {
            // systemd stops all processes of a service at once: the first word is not meant for this one.
            if self.replaced {
                signals.stop().await;
            }
            signals.stop().await;
        };
        tokio::select! {
            ended = timeout_at(deadline, drained) => if ended.is_ok() { Stopped::Clean } else { Stopped::Cut },
            () = insisted => Stopped::Cut,
        }
    }
}
