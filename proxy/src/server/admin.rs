//! The admin API on a runtime of its own: requests cannot slow it down, and it cannot slow requests down.

use std::sync::Arc;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{LAST_MOMENT, Parts, runtime};
use crate::admin::{self, Admin, Asks};

/// The admin API of a running Ficus. It answers until the very end, so that `/readyz` can say "draining".
pub(super) struct Served {
    runtime: Runtime,
    admin: Arc<Admin>,
    /// Becomes true when another process answers on these sockets.
    leaving: watch::Sender<bool>,
}

/// Answers on the admin sockets.
pub(super) fn start(parts: &Parts, asks: Asks) -> anyhow::Result<Served> {
    let runtime = runtime("ficus-admin", 1)?;
    let (control, observer) = (Arc::clone(&parts.control), Arc::clone(&parts.observer));
    let admin = Admin::new(control, observer, Arc::clone(&parts.backends), asks);
    let (leaving, left) = watch::channel(false);
    let _entered = runtime.enter();
    if let Some(listener) = &parts.sockets.admin {
        let listener = TcpListener::from_std(listener.try_clone()?)?;
        let serving = admin::serve_tcp(listener, Arc::clone(&admin), until(left.clone()));
        runtime.spawn(report_end("admin", serving));
    }
    if let Some(listener) = &parts.sockets.admin_socket {
        let listener = UnixListener::from_std(listener.try_clone()?)?;
        runtime.spawn(report_end("admin socket", serve_socket(listener, Arc::clone(&admin), left)));
    }
    drop(_entered);
    Ok(Served { runtime, admin, leaving })
}

async fn serve_socket(
    socket: UnixListener,
    admin: Arc<Admin>,
    left: watch::Receiver<bool>,
) -> std::io::Result<()> {
    admin::serve_socket(socket, admin, until(left)).await
}

async fn until(mut left: watch::Receiver<bool>) {
    if left.wait_for(|left| *left).await.is_err() {
        // Nobody can say so any more: the process ends.
        std::future::pending().await
    }
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
    pub(super) fn leave(&self) {
        let _ = self.leaving.send(true);
    }

    /// Ends it, with everything else; `socket` is removed, unless somebody else answers there.
    pub(super) fn stop(self, socket: Option<&std::path::Path>) {
        self.runtime.shutdown_timeout(LAST_MOMENT);
        if let Some(socket) = socket {
            // Nobody answers there any more; a file that stays would only look as if.
            let _ = std::fs::remove_file(socket);
        }
    }
}
