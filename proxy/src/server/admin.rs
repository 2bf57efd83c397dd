//! The admin API on a runtime of its own: requests cannot slow it down, and it cannot slow requests down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{LAST_MOMENT, Parts, runtime, tls};
use crate::admin::{self, Admin, Asks, Ending, Kept};
use crate::identity::Reader;

/// How long a question that has begun may still take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(1);
/// Somebody may have connected right before another process took over, and not have asked yet.
const LAST_QUESTIONS: Duration = Duration::from_millis(250);

/// The admin API of a running Ficus. It answers until the very end, so that `/readyz` can say "draining".
pub(super) struct Served {
    runtime: Runtime,
    admin: Arc<Admin>,
    serving: JoinSet<()>,
    ending: watch::Sender<Ending>,
    left: Option<Instant>,
}

/// Answers on the admin sockets.
pub(super) fn start(parts: &Parts, asks: Asks) -> anyhow::Result<Served> {
    let runtime = runtime("ficus-admin", 1)?;
    let (control, observer) = (Arc::clone(&parts.control), Arc::clone(&parts.observer));
    let kept = Kept {
        tokens: Reader::new(&parts.settings).tokens().cloned(),
        incidents: Arc::clone(&parts.incidents),
        shadow: Arc::clone(&parts.shadow),
        diffs: Arc::clone(&parts.diffs),
        tallies: Arc::clone(&parts.tallies),
        settings: parts.settings.admin.clone(),
        directory: parts.settings.store.directory.clone(),
        gates: Arc::clone(&parts.gates),
        http: parts.sockets.http.as_ref().and_then(|listener| listener.local_addr().ok()),
    };
    let admin = Admin::new(control, observer, Arc::clone(&parts.backends), kept, asks);
    let (ending, end) = watch::channel(Ending::default());
    let mut serving = JoinSet::new();
    let entered = runtime.enter();
    if let Some(listener) = &parts.sockets.admin {
        let listener = TcpListener::from_std(listener.try_clone()?)?;
        let certificates = parts.admin_certificates.as_ref();
        // Its client speaks nothing else.
        let tls = certificates.map(|certificates| certificates.acceptor(&["http/1.1"])).transpose()?;
        serving.spawn(report_end("admin", admin::serve_tcp(listener, tls, Arc::clone(&admin), end.clone())));
        if let Some(certificates) = certificates {
            let (settings, observer) = (Arc::clone(&parts.settings), Arc::clone(&parts.observer));
            runtime.spawn(tls::watch(Arc::clone(certificates), tls::of_admin, settings, observer));
        }
    }
    if let Some(listener) = &parts.sockets.admin_socket {
        let listener = UnixListener::from_std(listener.try_clone()?)?;
        serving.spawn(report_end("admin socket", admin::serve_socket(listener, Arc::clone(&admin), end)));
    }
    drop(entered);
    Ok(Served { runtime, admin, serving, ending, left: None })
}

async fn report_end(what: &str, serving: impl Future<Output = std::io::Result<()>>) {
    if let Err(error) = serving.await {
        tracing::error!(what, %error, "admin listener failed");
    }
}

impl Served {
    /// From now on this node is not ready.
    pub(super) fn drain(&self) {
        self.admin.drain();
    }

    /// From now on another process answers on these sockets; what has begun is answered here.
    pub(super) fn leave(&mut self) {
        let _ = self.ending.send(Ending::Leaving);
        self.left = Some(Instant::now());
    }

    /// Ends it, with everything else; `socket` is removed, unless somebody else answers there.
    pub(super) fn stop(mut self, socket: Option<&std::path::Path>) {
        if let Some(left) = self.left {
            std::thread::sleep(LAST_QUESTIONS.saturating_sub(left.elapsed()));
        }
        let _ = self.ending.send(Ending::Closing);
        let answered = async {
            let ended = async { while self.serving.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_ANSWERS, ended).await;
        };
        self.runtime.block_on(answered);
        self.runtime.shutdown_timeout(LAST_MOMENT);
        if let Some(socket) = socket {
            // Nobody answers there any more; a file that stays would only look as if.
            let _ = std::fs::remove_file(socket);
        }
    }
}
