//! Opens addresses and hands each connection to the gateway.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use pingora::proxy::HttpProxy;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::doorkeeper::{Admitted, Doorkeeper, Refused};
use super::workers::Workers;
use super::{proxy_protocol, stop};
use crate::gateway::{Connection, Gateway, Rules, Transport, kept};
use crate::observe::Observer;
use crate::settings::{Current, Network};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 4_096;
/// Pause when the process has no file descriptor left for another connection.
const BREATHER: Duration = Duration::from_millis(50);
/// How often to say so.
const COMPLAINTS: Duration = Duration::from_secs(5);

/// What a client reads whose connection is one too many.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
Content-Length: 0\r\n\r\n";

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
    /// What holds for every connection.
    pub(super) rules: Arc<Rules>,
    /// Peers that say before anything else for whom they connect.
    pub(super) preamble_from: Arc<[Network]>,
    /// Counts connections.
    pub(super) keeper: Arc<Doorkeeper>,
    /// Who answers requests.
    pub(super) workers: Workers,
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

/// Accepts connections, on the worker `here`, until the door closes.
pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, mut door: Door, here: usize) {
    let mut complained = None;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => welcome(stream, peer, tls.clone(), door.clone(), here),
                Err(error) => complain(&error, &mut complained).await,
            },
            _ = door.closing.changed() => break,
        }
    }
    if !door.taken_over.load(Ordering::Acquire) {
        accept_waiting(listener, tls.as_ref(), &door, here);
    }
}

/// Who is already connected, as far as they can know, is not turned away. The system is asked directly: tokio may not
/// have heard of the latest ones yet.
fn accept_waiting(listener: TcpListener, tls: Option<&TlsAcceptor>, door: &Door, here: usize) {
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        if let Ok(stream) = stream {
            welcome(stream, peer, tls.cloned(), door.clone(), here);
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

fn welcome(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, door: Door, here: usize) {
    let admitted = match door.keeper.admit(peer.ip()) {
        Ok((admitted, given_up)) => {
            for _ in 0..given_up {
                door.observer.connection_refused("idle");
            }
            admitted
        }
        Err(refused) => return turn_away(&stream, tls.is_some(), refused, &door.observer),
    };
    let (open, seat) = (door.observer.connection_opened(), door.workers.seat(here));
    let there = (!seat.is_at(here)).then(|| seat.place());
    let answer = async move |stream| {
        serve(stream, peer, tls, &door, &admitted).await;
        // The place is free before the connection is counted as gone.
        drop((admitted, seat, open));
    };
    let Some(there) = there else { return drop(tokio::spawn(answer(stream))) };
    // Each runtime watches its own sockets. A system that refuses that has no descriptor left.
    let Ok(stream) = stream.into_std() else { return };
    there.spawn(async move {
        if let Ok(stream) = TcpStream::from_std(stream) {
            answer(stream).await;
        }
    });
}

/// As cheap as can be: one write that does not wait.
fn turn_away(stream: &TcpStream, tls: bool, refused: Refused, observer: &Observer) {
    observer.connection_refused(refused.word());
    if !tls {
        let _ = stream.try_write(FULL);
    }
}

async fn serve(
    mut stream: TcpStream,
    mut peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    door: &Door,
    admitted: &Admitted,
) {
    // For a preamble, a TLS handshake, and each head.
    let head_time = door.settings.timeouts.client_header;
    if door.preamble_from.iter().any(|network| network.contains(peer.ip().to_canonical())) {
        match timeout(head_time, proxy_protocol::read(&mut stream)).await {
            Ok(Ok(source)) => peer = source.unwrap_or(peer),
            Ok(Err(_)) | Err(_) => return door.observer.rejected("bad_preamble"),
        }
    }
    // Answers leave when they are flushed; waiting for more would only add latency.
    let _ = stream.set_nodelay(true);
    let transport = match tls {
        None => Transport::Plain(stream),
        Some(tls) => match timeout(head_time, tls.accept(stream)).await {
            Ok(Ok(stream)) => Transport::Tls(Box::new(stream)),
            // Port scanners and health checks that only connect: not worth a line each.
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let connection = Connection::new(transport, peer, Arc::clone(&door.rules));
    admitted.watch(connection.idle());
    let idle_time = door.settings.timeouts.client_idle;
    let last_requests =
        || stop::last_requests(door.taken_over.load(Ordering::Acquire), door.settings.timeouts.drain);
    tokio::select! {
        () = kept::serve(&door.proxy, connection, &door.closing, idle_time, last_requests) => {}
        () = admitted.asked_to_leave() => {}
    }
}
