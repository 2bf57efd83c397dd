//! A connection on which a body that is kept follows the head by itself.
//!
//! pingora sends a body to a second backend only if it is small. Where it would send none, it gets this connection: it
//! writes the head of the request as always, the body goes out behind it, and the answer comes back as from anybody.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::{Buf, Bytes};
use pingora::Result;
use pingora::connectors::{L4Connect, TransportConnector};
use pingora::protocols::Stream as Inner;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::{HttpPeer, Scheme};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::Answer;

/// Connections with this key are never used again.
const REPLAYED: u64 = 2;
const END_OF_HEAD: &[u8; 4] = b"\r\n\r\n";

/// Connects to a peer and sends a body there.
struct Replay {
    connector: Arc<TransportConnector>,
    peer: HttpPeer,
    body: Vec<Bytes>,
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replay")
    }
}

/// A peer that gets this body behind the head that is written to it.
pub(super) fn with_body(
    connector: &Arc<TransportConnector>,
    peer: Box<HttpPeer>,
    body: Vec<Bytes>,
) -> Box<HttpPeer> {
    let mut outer = peer.clone();
    let replay = Replay { connector: Arc::clone(connector), peer: *peer, body };
    // TLS, if there is some, is below this connection.
    outer.scheme = Scheme::HTTP;
    outer.sni.clear();
    outer.group_key = REPLAYED;
    outer.options.custom_l4 = Some(Arc::new(replay));
    outer
}

#[async_trait]
impl L4Connect for Replay {
    async fn connect(&self, _address: &SocketAddr) -> Result<Stream> {
        let inner = self.connector.new_stream(&self.peer).await?;
        let body = self.body.iter().filter(|chunk| !chunk.is_empty()).cloned().collect();
        let socket = Socket { inner, body, head_end: 0, answer: Answer::new(false) };
        Ok(Stream::from(VirtualSocketStream::new(Box::new(socket))))
    }
}

/// Writes what it is told up to the end of the head, then the body whenever there is room for it.
struct Socket<S> {
    inner: S,
    body: VecDeque<Bytes>,
    /// How much of the end of the head was written.
    head_end: usize,
    answer: Answer,
}

impl<S> std::fmt::Debug for Socket<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Socket")
    }
}

impl<S> Socket<S> {
    fn is_head_written(&self) -> bool {
        self.head_end == END_OF_HEAD.len()
    }

    /// Looks for the end of the head in bytes that were written.
    fn wrote(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.is_head_written() {
                return;
            }
            let next = *byte == END_OF_HEAD[self.head_end];
            self.head_end = if next { self.head_end + 1 } else { usize::from(*byte == b'\r') };
        }
    }
}

impl<S: AsyncWrite + Unpin> Socket<S> {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(chunk) = self.body.front_mut() {
            let written = ready!(Pin::new(&mut self.inner).poll_write(cx, chunk))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            chunk.advance(written);
            if chunk.is_empty() {
                self.body.pop_front();
            }
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }
}

impl VirtualSocket for Socket<Inner> {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever reads waits for the answer to what is still to be sent. A backend that has answered need not take
        // the rest: an error here shows when nothing can be read either.
        if self.is_head_written()
            && !self.body.is_empty()
            && let Poll::Ready(Err(_)) = self.poll_body(cx)
        {
            self.body.clear();
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let refused = |refused| io::Error::new(io::ErrorKind::InvalidData, refused);
        Poll::Ready(self.answer.follow(&buf.filled()[before..]).map_err(refused))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_head_written() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.wrote(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn the_body_follows_the_head_while_the_answer_is_waited_for() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let body = VecDeque::from([Bytes::from_static(b"a body "), Bytes::from_static(b"in two parts")]);
        let mut socket = Socket { inner: ours, body, head_end: 0, answer: Answer::new(false) };
        let backend = tokio::spawn(async move {
            let mut seen = vec![0; 45];
            theirs.read_exact(&mut seen).await.unwrap();
            theirs.write_all(b"answer").await.unwrap();
            (String::from_utf8(seen).unwrap(), theirs)
        });
        socket.write_all(b"POST / HTTP/1.1\r\nA: \r").await.unwrap();
        socket.write_all(b"b\r\n\r\n").await.unwrap();
        socket.write_all(b"nothing more").await.unwrap();
        let mut answer = [0; 6];
        socket.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
        let (seen, _theirs) = backend.await.unwrap();
        assert_eq!(seen, "POST / HTTP/1.1\r\nA: \rb\r\n\r\na body in two parts");
    }
}
