//! Connects to an upstream: over TCP and to Unix sockets by ourselves, with TLS through pingora.
//!
//! Step 5 of a request (forward). Every request that must not be executed twice gets a connection of its own over TCP, and
//! pingora asks and sets more on a new socket than anybody here looks at.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pingora::connectors::TransportConnector;
use pingora::protocols::Stream;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// A connection to an upstream.
pub(super) enum Inner {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Stream),
}

impl Inner {
    /// Whether its other end learns from its close all that there is to say.
    pub(super) fn ends_by_close(&self) -> bool {
        !matches!(self, Self::Tls(_))
    }
}

/// A new connection, within the time to connect that the peer has.
///
/// # Errors
/// `ConnectRefused`, `ConnectTimedout` or `ConnectError` with the system's error as its cause; of TLS those of pingora.
pub(super) async fn connect(peer: &HttpPeer, connector: &TransportConnector) -> Result<Inner> {
    if peer.is_tls() {
        return connector.new_stream(peer).await.map(Inner::Tls);
    }
    let connected = match peer.options.connection_timeout {
        Some(patience) => timeout(patience, plain(&peer._address))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => plain(&peer._address).await,
    };
    connected.map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
            io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
            _ => ErrorType::ConnectError,
        };
        Error::because(kind, format!("cannot connect to {}", peer._address), error).into_up()
    })
}

async fn plain(address: &SocketAddr) -> io::Result<Inner> {
    match address {
        SocketAddr::Inet(address) => {
            let stream = TcpStream::connect(address).await?;
            // What is written shall leave; small writes are gathered before.
            stream.set_nodelay(true)?;
            Ok(Inner::Tcp(stream))
        }
        SocketAddr::Unix(address) => {
            let path = address.as_pathname().ok_or(io::ErrorKind::InvalidInput)?;
            UnixStream::connect(path).await.map(Inner::Unix)
        }
    }
}

impl AsyncRead for Inner {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Inner {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upstream::{cause_of, is_our_shortage};

    /// What connecting comes to.
    async fn tried(peer: &mut HttpPeer) -> Box<Error> {
        peer.options.connection_timeout = Some(Duration::from_secs(5));
        connect(peer, &TransportConnector::new(None)).await.err().unwrap()
    }

    #[tokio::test]
    async fn who_is_not_there_is_said_to_be_not_there() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = tried(&mut HttpPeer::new(closed, false, String::new())).await;
        assert_eq!(
            (error.etype(), cause_of(&error).as_str()),
            (&ErrorType::ConnectRefused, "Connection refused (os error 111)")
        );
        assert!(!is_our_shortage(&error));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("none.sock");
        let error =
            tried(&mut HttpPeer::new_uds(path.to_str().unwrap(), false, String::new()).unwrap()).await;
        assert_eq!(cause_of(&error), "No such file or directory (os error 2)");
    }

    #[tokio::test]
    async fn who_does_not_answer_in_time_has_timed_out() {
        // A backlog that is full takes no more connections.
        let listener = tokio::net::TcpSocket::new_v4().unwrap();
        listener.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.options.connection_timeout = Some(Duration::from_millis(50));
        let mut held = Vec::new();
        let error = loop {
            match connect(&peer, &TransportConnector::new(None)).await {
                Ok(connection) => held.push(connection),
                Err(error) => break error,
            }
            assert!(held.len() < 100, "the backlog never fills");
        };
        assert_eq!((error.etype(), cause_of(&error).as_str()), (&ErrorType::ConnectTimedout, "no answer"));
    }
}
