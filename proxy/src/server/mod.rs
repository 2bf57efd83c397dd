//! Puts the parts together, listens, and stops without cutting anybody off.
//!
//! Start-up, step by step, is `run`; the order matters: nothing is changed on disk before everything else that could
//! fail has been tried, and readiness is announced when requests are answered. In the place of a running process it
//! starts in the same order, with that one's sockets (`handover`); being replaced is `upgrade`. What happens to a
//! request is in `gateway`.

mod admin;
mod descriptors;
mod doorkeeper;
mod gates;
mod handover;
mod listen;
mod log;
mod proxy_protocol;
mod report;
mod reread;
mod runtime;
mod shadow;
mod sockets;
mod sources;
mod stop;
mod tally;
mod tls;
mod upgrade;
mod watchdog;
mod workers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::{SigSet, Signal};
use pingora::apps::HttpServerOptions;
use pingora::protocols::http::v2::server::default_h2_options;
use pingora::proxy::{HttpProxy, http_proxy};
use pingora::server::configuration::ServerConf;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_rustls::TlsAcceptor;

use crate::admin::{Ask, Asks};
use crate::control::{Control, Reloaded};
use crate::gateway::{Gateway, MOST_ATTEMPTS, Rules};
use crate::observe::{Observer, count_panics};
use crate::rollout::progress::Tallies;
use crate::rollout::{Gates, Incidents};
use crate::settings::{Current, Inputs, Settings};
use crate::shadow::Shadow;
use crate::store::Diffs;
use crate::upstream::{Backends, probe};
use doorkeeper::Doorkeeper;
use handover::Predecessor;
use listen::Door;
use log::Log;
#[doc(hidden)]
pub use proxy_protocol::parse as preamble;
use runtime::{runtime, threads};
use sockets::{Inherited, Sockets};
use stop::{Event, Signals, Stop, Stopped};
use tls::Certificates;
use upgrade::{Origin, Successor};
use workers::Workers;

/// Bytes of an answer that wait for a slow client, for each of 100 streams; h2 by itself would take 400 KiB.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
/// How long tasks that are still running at the very end are waited for.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// The parts that live as long as the process.
struct Parts {
    settings: Arc<Current>,
    inputs: Inputs,
    log: Log,
    origin: Origin,
    /// Files that may be open at once.
    open_files: u64,
    sockets: Sockets,
    certificates: Option<Arc<Certificates>>,
    admin_certificates: Option<Arc<Certificates>>,
    control: Arc<Control>,
    backends: Arc<Backends>,
    observer: Arc<Observer>,
    incidents: Arc<Incidents>,
    draining: Arc<AtomicBool>,
    shadow: Arc<Shadow>,
    diffs: Arc<Diffs>,
    tallies: Arc<Tallies>,
    gates: Arc<Gates>,
    workers: Workers,
}

/// Serves until told to stop, or until another process has taken over. The settings are read from `inputs`, now and
/// whenever they shall be read again.
///
/// # Errors
/// When the settings are wrong, a listener cannot be opened or the routing file is bad.
pub fn run(inputs: Inputs, load: impl FnOnce(&Inputs) -> anyhow::Result<Settings>) -> anyhow::Result<()> {
    let (mut predecessor, given) = match handover::predecessor()? {
        Some((predecessor, given)) => (Some(predecessor), given),
        None => (None, sockets::from_systemd()?),
    };
    let served = load(&inputs).and_then(|settings| {
        outlive_size_limits();
        let log = log::start(&settings.log.level)?;
        count_panics();
        let served = start(settings, inputs, &log, given, &mut predecessor);
        log.finish();
        served
    });
    if let (Some(predecessor), Err(error)) = (predecessor, &served) {
        predecessor.failed(&format!("{error:#}"));
    }
    served
}

fn start(
    settings: Settings,
    inputs: Inputs,
    log: &Log,
    given: Vec<Inherited>,
    predecessor: &mut Option<Predecessor>,
) -> anyhow::Result<()> {
    let origin = Origin::of_this_process()?;
    let open_files = descriptors::raise();
    let (runtime, workers) = (runtime("ficus", 1)?, Workers::start(threads(), LAST_MOMENT)?);
    let sockets = {
        let _entered = runtime.enter();
        Sockets::open(&settings, given)?
    };
    let [certificates, admin_certificates] = tls::read(&settings)?;
    let backends = Arc::new(Backends::new(&settings));
    runtime.block_on(probe::first_look(&backends));
    if let Some(predecessor) = predecessor {
        predecessor.prepared()?;
    }
    // From here on the state on disk is ours.
    let control = Arc::new(Control::start(&settings)?);
    let observer = Arc::new(Observer::new(Arc::clone(control.live()), &settings, &log.dropped())?);
    observer.ask(sources::of(&control, &backends));
    let (incidents, sights) = gates::guard(&settings, &control, &observer, &runtime);
    let (shadow, outlet, diffs) = shadow::build(&settings, &observer, (control.live(), &backends))?;
    let copies = shadow::start(&shadow, outlet, predecessor.is_none())?;
    let gates = gates::build(&settings, (&control, &incidents), (&shadow, &sights))?;
    gates::start(&gates, &control, &runtime);
    let tallies = tally::start(&settings, &observer, &control)?;
    let mut parts = Parts {
        settings: Arc::new(Current::new(settings)),
        inputs,
        log: log.clone(),
        origin,
        open_files,
        sockets,
        certificates,
        admin_certificates,
        control,
        backends,
        observer,
        incidents,
        draining: Arc::default(),
        shadow,
        diffs,
        tallies,
        gates,
        workers,
    };
    let (asks, questions) = Asks::new();
    let mut admin = admin::start(&parts, asks)?;
    let ended = runtime.block_on(serve(&mut parts, &mut admin, questions, predecessor));
    // Answers have been sent; what is left are tasks that watch something.
    parts.workers.stop();
    runtime.shutdown_timeout(LAST_MOMENT);
    copies.shutdown_background();
    parts.shadow.finish(LAST_MOMENT * 5);
    parts.diffs.flush(LAST_MOMENT * 5);
    parts.tallies.finish();
    parts.observer.finish();
    let replaced = matches!(&ended, Ok(Some(successor)) if successor.has("admin_socket"));
    admin.stop(Some(parts.settings.listen.admin_socket.as_path()).filter(|_| !replaced));
    ended.map(drop)
}

impl Parts {
    fn keeper(&self) -> Arc<Doorkeeper> {
        let most = descriptors::connections(&self.settings, self.open_files);
        // Behind these addresses are many clients.
        let listen = &self.settings.listen;
        let shared = [listen.trusted_proxies.as_slice(), listen.proxy_protocol.as_slice()].concat();
        Doorkeeper::new(&self.settings.limits, most, &shared)
    }

    fn rules(&self) -> Arc<Rules> {
        let observer = Arc::clone(&self.observer);
        let on_refused = Box::new(move |reason| observer.rejected(reason));
        Arc::new(Rules { settings: Arc::clone(&self.settings), on_refused })
    }

    fn proxy(&self) -> anyhow::Result<Arc<HttpProxy<Gateway>>> {
        let gateway = Gateway::new(
            Arc::clone(&self.settings),
            Arc::clone(self.control.live()),
            Arc::clone(&self.backends),
            Arc::clone(&self.observer),
            Arc::clone(&self.draining),
        )?;
        let gateway = gateway.shadowed_by(Arc::clone(&self.shadow));
        let conf = ServerConf { threads: threads(), max_retries: MOST_ATTEMPTS, ..ServerConf::default() };
        let mut proxy = http_proxy(&Arc::new(conf), gateway);
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(self.settings.timeouts.client_idle);
        proxy.server_options = Some(options);
        let mut http2 = default_h2_options();
        http2.max_send_buffer_size(HTTP2_SEND_BUFFER);
        proxy.h2_options = Some(http2);
        Ok(Arc::new(proxy))
    }

    /// Begins to accept connections.
    fn accept(&self, door: &Door) -> anyhow::Result<()> {
        let accept = |listener: &std::net::TcpListener, tls: Option<TlsAcceptor>| -> anyhow::Result<()> {
            for (here, worker) in self.workers.handles().enumerate() {
                let _entered = worker.enter();
                let listener = TcpListener::from_std(listener.try_clone()?)?;
                worker.spawn(listen::accept(listener, tls.clone(), door.clone(), here));
            }
            Ok(())
        };
        if let Some(http) = &self.sockets.http {
            accept(http, None)?;
        }
        if let (Some(https), Some(certificates)) = (&self.sockets.https, &self.certificates) {
            let tls = certificates.acceptor(&["h2", "http/1.1"])?;
            accept(https, Some(tls))?;
            let (settings, observer) = (Arc::clone(&self.settings), Arc::clone(&self.observer));
            tokio::spawn(tls::watch(Arc::clone(certificates), tls::of_https, settings, observer));
        }
        Ok(())
    }
}

/// Answers requests until the process shall end; the process that goes on, if one does.
async fn serve(
    parts: &mut Parts,
    admin: &mut admin::Served,
    mut questions: mpsc::Receiver<Ask>,
    predecessor: &mut Option<Predecessor>,
) -> anyhow::Result<Option<Successor>> {
    let mut signals = Signals::listen()?;
    let proxy = parts.proxy()?;
    let (closing, watch_closing) = watch::channel(false);
    let (connected, mut all_gone) = mpsc::channel(1);
    let taken_over = Arc::new(AtomicBool::new(false));
    let door = Door {
        proxy: Arc::clone(&proxy),
        observer: Arc::clone(&parts.observer),
        closing: watch_closing,
        _connected: connected,
        rules: parts.rules(),
        preamble_from: parts.settings.listen.proxy_protocol.clone().into(),
        keeper: parts.keeper(),
        settings: Arc::clone(&parts.settings),
        workers: parts.workers.clone(),
        taken_over: Arc::clone(&taken_over),
    };
    tokio::spawn(probe::watch(Arc::clone(&parts.backends)));
    let _watch = parts.control.watch().context("cannot watch the routing file")?;
    let _keeper = parts.control.keep_up().context("cannot keep up with the fleet")?;
    parts.accept(&door)?;
    drop(door);
    announce(parts, predecessor)?;

    let successor = run_until_told(parts, &mut signals, &mut questions).await;
    match &successor {
        Some(successor) => {
            taken_over.store(true, Ordering::Release);
            admin.leave();
            parts.shadow.recordings().stop("another process took over; a recording does not go on by itself");
            parts.log.say(&format!(
                "ficus: process {} has taken over, waiting for requests in progress\n",
                successor.process
            ));
        }
        None => {
            let before_drain = parts.settings.timeouts.before_drain;
            admin.drain();
            parts.draining.store(before_drain.is_zero(), Ordering::Release);
            notify(&[NotifyState::Stopping, NotifyState::Status("waiting for requests in progress")]);
            parts.log.say("ficus: stopping, waiting for requests in progress\n");
            if !before_drain.is_zero() {
                tokio::select! {
                    () = tokio::time::sleep(before_drain) => {}
                    () = signals.stop() => {}
                }
            }
        }
    }
    // Nothing but the tasks that accept holds a listening socket any more.
    parts.sockets = Sockets::default();
    let patience = parts.settings.timeouts.drain;
    let (draining, replaced) = (&*parts.draining, successor.is_some());
    let stop = Stop { draining, closing: &closing, connected: &mut all_gone, patience, replaced };
    match stop.run(&*proxy, &mut signals).await {
        Stopped::Clean => parts.log.say("ficus: stopped, every request was answered\n"),
        Stopped::Cut => parts.log.say("ficus: stopped before every request was answered\n"),
    }
    Ok(successor)
}

/// Everything is up: says so to whoever looks, to the process before us, and to systemd.
fn announce(parts: &Parts, predecessor: &mut Option<Predecessor>) -> anyhow::Result<()> {
    parts.log.say(&report::report(parts));
    if let Some(predecessor) = predecessor.take() {
        predecessor.ready(&parts.sockets.inherited)?;
    }
    let revision = parts.control.live().load().revision;
    notify(&[NotifyState::Ready, NotifyState::Status(&format!("answering requests, revision {revision}"))]);
    let runtimes = parts.workers.handles().cloned().chain([tokio::runtime::Handle::current()]);
    watchdog::start(runtimes.collect()).context("cannot start the watchdog")?;
    Ok(())
}

/// Does what signals and the admin API ask for; the process that goes on, or nobody: the process shall stop.
async fn run_until_told(
    parts: &Parts,
    signals: &mut Signals,
    questions: &mut mpsc::Receiver<Ask>,
) -> Option<Successor> {
    loop {
        let answer = match signals.next(questions).await {
            Event::Stop => return None,
            Event::Reload => {
                reload(parts);
                continue;
            }
            Event::Asked(Ask::Reload(answer)) => {
                let _ = answer.send(reread::reread(parts));
                continue;
            }
            Event::Asked(Ask::Upgrade(answer)) => Some(answer),
            Event::Upgrade => None,
        };
        let upgraded = tokio::select! {
            upgraded = upgrade::upgrade(parts) => upgraded,
            // The new process is ended with the attempt.
            () = signals.stop() => return None,
        };
        let told = match &upgraded {
            Ok(successor) => Ok(successor.process),
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, "the upgrade failed; this process goes on");
                Err(error)
            }
        };
        if let Some(answer) = answer {
            let _ = answer.send(told);
        }
        if let Ok(successor) = upgraded {
            return Some(successor);
        }
    }
}

/// SIGHUP: another look at all files, and a new access log if the old one was renamed away.
fn reload(parts: &Parts) {
    let now = NotifyState::monotonic_usec_now();
    if let Ok(now) = now {
        notify(&[NotifyState::Reloading, now]);
    }
    parts.observer.reopen_log();
    reread::reread(parts);
    match parts.control.reload() {
        Reloaded::Refused { message, .. } => tracing::error!(message, "reload refused"),
        outcome => tracing::info!(?outcome, "reload asked for by signal"),
    }
    let revision = parts.control.live().load().revision;
    notify(&[NotifyState::Ready, NotifyState::Status(&format!("answering requests, revision {revision}"))]);
}

/// A file that may not grow any more is an error like a full disk, not the end of the process. All threads inherit this, so
/// it comes before the first one.
fn outlive_size_limits() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGXFSZ);
    if let Err(error) = signals.thread_block() {
        tracing::warn!(%error, "cannot ignore limits on file sizes");
    }
}

/// Tells systemd, if it started us.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}
