//! The admin API on a runtime of its own: requests cannot slow it down, and it cannot slow requests down.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::Runtime;

use super::{LAST_MOMENT, Parts, listen, runtime};
use crate::admin::{self, Admin};

/// The admin API of a running Ficus. It answers until the very end, so that `/readyz` can say "draining".
pub(super) struct Served {
    runtime: Runtime,
    admin: Arc<Admin>,
    /// Where it is reached over TCP.
    pub(super) address: Option<SocketAddr>,
}

/// Opens the admin addresses and answers there.
pub(super) fn start(parts: &Parts) -> anyhow::Result<Served> {
    let runtime = runtime("ficus-admin", 1)?;
    let admin = Admin::new(
        Arc::clone(&parts.control),
        Arc::clone(&parts.observer),
        Arc::clone(&parts.backends),
        Arc::clone(&parts.incidents),
    );
    let entered = runtime.enter();
    let tcp = parts.settings.listen.admin.map(|address| listen::open(address, "admin")).transpose()?;
    let path = &parts.settings.listen.admin_socket;
    let socket = admin::bind_socket(path)
        .with_context(|| format!("cannot listen on `{}` (admin socket)", path.display()))?;
    drop(entered);
    let address = tcp.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(listener) = tcp {
        let serving = admin::serve_tcp(listener, Arc::clone(&admin), std::future::pending());
        runtime.spawn(report_end("admin", serving));
    }
    runtime.spawn(report_end("admin socket", serve_socket(socket, Arc::clone(&admin))));
    Ok(Served { runtime, admin, address })
}

async fn serve_socket(socket: UnixListener, admin: Arc<Admin>) -> std::io::Result<()> {
    admin::serve_socket(socket, admin, std::future::pending()).await
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

    /// Ends it, with everything else.
    pub(super) fn stop(self, socket: &std::path::Path) {
        self.runtime.shutdown_timeout(LAST_MOMENT);
        // Nobody answers there any more; a file that stays would only look as if.
        let _ = std::fs::remove_file(socket);
    }
}
