//! TLS before the admin API. Handshakes go on beside each other: one that never ends holds up nobody. Whoever comes in clear
//! text is told so, and nothing of what they send is looked at.

use std::time::Duration;

use axum::response::IntoResponse;
use axum::serve::Listener;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::problem::Problem;

/// For a handshake.
const PATIENCE: Duration = Duration::from_secs(5);
/// So many at once; whoever comes then waits to be accepted.
const MOST: usize = 256;
/// What TLS begins with: a handshake.
const HANDSHAKE: u8 = 0x16;
/// A request in clear text is read so far, so that its sender gets to see the answer.
const READ: u64 = 64 * 1024;

type Greeted<A> = Option<(TlsStream<TcpStream>, A)>;

/// A listener whose connections have had their handshake. Those in the middle of it are still let in when `listener` does
/// not accept any more.
pub(super) struct Secured<L: Listener> {
    listener: L,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Greeted<L::Addr>>,
}

impl<L: Listener> Secured<L> {
    /// Speaks TLS with whoever comes to `listener`.
    pub(super) fn new(listener: L, acceptor: TlsAcceptor) -> Self {
        Self { listener, acceptor, handshakes: JoinSet::new() }
    }
}

impl<L: Listener<Io = TcpStream, Addr: 'static>> Listener for Secured<L> {
    type Io = TlsStream<TcpStream>;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    // Whoever failed was told so by TLS itself.
                    if let Ok(Some(greeted)) = done {
                        return greeted;
                    }
                }
                (stream, peer) = self.listener.accept(), if self.handshakes.len() < MOST => {
                    let acceptor = self.acceptor.clone();
                    self.handshakes.spawn(async move {
                        let greeted = tokio::time::timeout(PATIENCE, greet(acceptor, stream)).await;
                        greeted.ok()?.ok()?.map(|stream| (stream, peer))
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<Option<TlsStream<TcpStream>>> {
    let mut first = [0_u8];
    if stream.peek(&mut first).await? == 1 && first[0] != HANDSHAKE {
        return refuse(stream).await.map(|()| None);
    }
    acceptor.accept(stream).await.map(Some)
}

/// Says what is spoken here to somebody who does not speak it.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let body = Problem::needs_tls().into_response().into_body();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(std::io::Error::other)?;
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
    stream.shutdown().await?;
    // Closing on what was not read would take the answer back.
    tokio::io::copy(&mut stream.take(READ), &mut tokio::io::sink()).await.map(drop)
}
