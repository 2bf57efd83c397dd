//! The connection to a backend below a tunnel.
//!
//! pingora 0.9.1 passes on the end of the request's (empty) body and reads the backend's answer at the same time. If the
//! 101 comes first, it takes that end for the end of the tunnel, and closes it right after the handshake. So a
//! connection for a tunnel answers only when the request is through: pingora flushes once after the head and once after
//! the end of the body. Under TLS reads and flushes mean other things, and such connections are left as they are.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;

/// After the head, and after the end of the body.
const FLUSHES: u8 = 2;
/// A request that wants a tunnel and has a body that does not end is answered nevertheless.
const PATIENCE: Duration = Duration::from_secs(1);

/// Gives the request a connection of this kind.
pub(super) fn prepare(peer: &mut HttpPeer) {
    if !peer.tls() {
        peer.options.custom_l4 = Some(Arc::new(Connect));
    }
}

#[derive(Debug)]
struct Connect;

#[async_trait]
impl L4Connect for Connect {
    async fn connect(&self, address: &SocketAddr) -> Result<Stream> {
        let connected = match address {
            SocketAddr::Inet(address) => TcpStream::connect(address).await.map(Below::Tcp),
            SocketAddr::Unix(address) => match address.as_pathname() {
                Some(path) => UnixStream::connect(path).await.map(Below::Unix),
                None => Err(io::ErrorKind::Unsupported.into()),
            },
        };
        let below = connected
            .map_err(|error| Error::because(ErrorType::ConnectError, "cannot connect for a tunnel", error))?;
        let gate = Gate { below, flushes: 0, patience: None, waiting: None };
        Ok(Stream::from(VirtualSocketStream::new(Box::new(gate))))
    }
}

#[derive(Debug)]
enum Below {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// Lets nothing in before the request is out.
#[derive(Debug)]
struct Gate {
    below: Below,
    flushes: u8,
    patience: Option<Pin<Box<Sleep>>>,
    waiting: Option<Waker>,
}

impl Gate {
    fn is_open(&mut self, cx: &mut Context<'_>) -> bool {
        if self.flushes >= FLUSHES {
            return true;
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        if patience.as_mut().poll(cx).is_ready() {
            self.flushes = FLUSHES;
            return true;
        }
        self.waiting = Some(cx.waker().clone());
        false
    }
}

impl AsyncRead for Gate {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.is_open(cx) {
            return Poll::Pending;
        }
        match &mut self.below {
            Below::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Below::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Gate {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.below {
            Below::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Below::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes = self.flushes.saturating_add(1);
        if self.flushes >= FLUSHES
            && let Some(waker) = self.waiting.take()
        {
            waker.wake();
        }
        match &mut self.below {
            Below::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Below::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.below {
            Below::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Below::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl VirtualSocket for Gate {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match (&self.below, option) {
            (Below::Tcp(stream), VirtualSockOpt::NoDelay) => stream.set_nodelay(true),
            // A tunnel that is silent is not a dead one.
            _ => Ok(()),
        }
    }
}
