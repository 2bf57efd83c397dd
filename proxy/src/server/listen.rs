//! Opens addresses and hands each connection to the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use pingora::apps::ServerApp;
use pingora::proxy::HttpProxy;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::gateway::{Connection, Gateway, Transport};
use crate::observe::Observer;
use crate::settings::Current;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// Pause when the process has no file descriptor left for another connection.
const BREATHER: Duration = Duration::from_millis(50);
/// How often to say so.
const COMPLAINTS: Duration = Duration::from_secs(5);

/// Everything a connection needs.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) proxy: Arc<HttpProxy<Gateway>>,
    pub(super) observer: Arc<Observer>,
    /// Becomes true when no more connections are accepted and none is kept.
    pub(super) closing: watch::Receiver<bool>,
    /// Every connection holds one; all gone: nobody is connected.
    pub(super) _connected: mpsc::Sender<()>,
    pub(super) settings: Arc<Current>,
    /// Another process accepts on the same socket: who waits is for it.
    pub(super) taken_over: Arc<AtomicBool>,
}

/// Opens an address.
pub(super) fn open(address: SocketAddr, what: &str) -> anyhow::Result<std::net::TcpListener> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Connections of a predecessor that are still closing do not keep the address.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    open().with_context(|| format!("cannot listen on `{address}` ({what})"))
}

/// Accepts connections until the door closes.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, mut door: Door) {
    let mut complained = None;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => welcome(stream, peer, tls.clone(), door.clone()),
                Err(error) => complain(&error, &mut complained).await,
            },
            _ = door.closing.changed() => break,
        }
    }
    if !door.taken_over.load(Ordering::Acquire) {
        accept_waiting(listener, tls.as_ref(), &door);
    }
}

/// Who is already connected, as far as they can know, is not turned away. The system is asked directly: tokio may not
/// have heard of the latest ones yet.
fn accept_waiting(listener: TcpListener, tls: Option<&TlsAcceptor>, door: &Door) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            welcome(stream, peer, tls.cloned(), door.clone());
        }
    }
}

async fn complain(error: &std::io::Error, last: &mut Option<Instant>) {
    const NO_DESCRIPTOR_LEFT: [i32; 2] = [23, 24];
    if last.is_none_or(|last| last.elapsed() >= COMPLAINTS) {
        tracing::warn!(%error, "cannot accept a connection");
        *last = Some(Instant::now());
    }
    if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR_LEFT.contains(&code)) {
        // The connection stays in the queue and would be reported again at once.
        tokio::time::sleep(BREATHER).await;
    }
}

fn welcome(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, door: Door) {
    let open = door.observer.connection_opened();
    tokio::spawn(async move {
        serve(stream, peer, tls, &door).await;
        drop(open);
    });
}

async fn serve(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, door: &Door) {
    // Answers leave when they are flushed; waiting for more would only add latency.
    let _ = stream.set_nodelay(true);
    let head_time = door.settings.timeouts.client_header;
    let transport = match tls {
        None => Transport::Plain(stream),
        Some(tls) => match timeout(head_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => Transport::Tls(Box::new(stream)),
            // Port scanners and health checks that only connect: not worth a line each.
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let observer = Arc::clone(&door.observer);
    let on_malformed = Arc::new(move || observer.rejected("malformed"));
    let connection = Connection::new(transport, peer, head_time, on_malformed);
    door.proxy.process_new(Box::new(connection), &door.closing).await;
}
