//! A connection to an upstream, lent to one request and taken back when its answer is complete.
//!
//! pingora has a pool of its own. It lets a task watch each connection that rests there, and every request wakes and
//! ends one of those and starts the next. Here resting connections are a stack; whoever takes one looks whether it is
//! still good, and once a second somebody looks at those that nobody takes (`probe`). The head of the request goes out
//! with lines of our own, which pingora would parse once more for each of its two maps of headers.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use futures_util::FutureExt;
use pingora::connectors::{L4Connect, TransportConnector};
use pingora::protocols::Stream as Inner;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::answer::Answer;
use super::{Backend, Patience, Serving, Upstream};

/// Connections that may rest at one upstream.
const MOST: usize = 512;
/// About as much as the lines need that are added to a head.
const ROOM: usize = 512;

/// The connections to one upstream that nobody uses; the last one that came back is the next to be lent.
#[derive(Default)]
pub(super) struct Resting(Mutex<Vec<(Inner, Instant)>>);

impl std::fmt::Debug for Resting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resting")
    }
}

impl Resting {
    fn stack(&self) -> std::sync::MutexGuard<'_, Vec<(Inner, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that the other end has neither closed nor sent anything on, and that has not rested for too long.
    fn take(&self, longest: Duration) -> Option<Inner> {
        loop {
            let (mut connection, since) = self.stack().pop()?;
            if since.elapsed() >= longest {
                // Those below rest for longer.
                let old = std::mem::take(&mut *self.stack());
                drop(old);
                return None;
            }
            if is_silent(&mut connection) {
                return Some(connection);
            }
        }
    }

    fn put(&self, connection: Inner) {
        let mut stack = self.stack();
        if stack.len() < MOST {
            stack.push((connection, Instant::now()));
        }
    }

    /// Closes those that the other end has closed, and those that have rested for too long.
    pub(super) fn sweep(&self, longest: Duration) {
        let good =
            |(connection, since): &mut (Inner, Instant)| since.elapsed() < longest && is_silent(connection);
        // Most rounds find nothing to do, and nothing is moved then.
        self.stack().retain_mut(good);
    }

    /// How many there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.stack().len()
    }
}

/// Whether nothing has arrived on a connection, not even its end.
fn is_silent(connection: &mut Inner) -> bool {
    let mut byte = [0];
    let read =
        std::future::poll_fn(|cx| Pin::new(&mut *connection).poll_read(cx, &mut ReadBuf::new(&mut byte)));
    // Without this, a task that has done much would be told that there is nothing to read.
    tokio::task::unconstrained(read).now_or_never().is_none()
}

impl Backend {
    /// A connection to an upstream for one request.
    pub fn lend(
        &self,
        serving: &Serving,
        single_use: bool,
        patience: Patience,
    ) -> Option<(Box<HttpPeer>, Arc<Loan>)> {
        Loan::arrange(&serving.0, self.connector(), single_use, patience)
    }

    /// Closes connections that nobody will use again.
    pub(super) fn sweep(&self) {
        for upstream in self.upstreams().iter() {
            upstream.resting().sweep(upstream.longest_rest());
        }
    }
}

/// What a request tells the connection that it is sent on, and learns about it.
#[derive(Debug)]
pub struct Loan {
    me: Weak<Self>,
    upstream: Arc<Upstream>,
    connector: Connector,
    single_use: bool,
    patience: Patience,
    /// Lines that go out at the end of the head.
    lines: Mutex<Vec<u8>>,
    reused: AtomicBool,
    /// The answer was not in order.
    refused: AtomicBool,
}

struct Connector(Arc<TransportConnector>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Loan {
    /// The peer that pingora shall connect to in order to get a connection lent.
    pub(super) fn arrange(
        upstream: &Arc<Upstream>,
        connector: &Arc<TransportConnector>,
        single_use: bool,
        patience: Patience,
    ) -> Option<(Box<HttpPeer>, Arc<Self>)> {
        let mut peer = upstream.outer_peer(patience)?;
        let loan = Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            upstream: Arc::clone(upstream),
            connector: Connector(Arc::clone(connector)),
            single_use,
            patience,
            lines: Mutex::default(),
            reused: AtomicBool::new(false),
            refused: AtomicBool::new(false),
        });
        peer.options.custom_l4 = Some(Arc::<Self>::clone(&loan));
        Some((peer, loan))
    }

    /// Lines for the end of the head, each with its line end.
    pub fn say(&self, lines: Vec<u8>) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }

    /// What to connect to without a loan.
    pub fn plain_peer(&self) -> Option<Box<HttpPeer>> {
        self.upstream.peer(self.single_use, self.patience)
    }

    /// Whether the connection has served another request before.
    pub fn is_reused(&self) -> bool {
        self.reused.load(Ordering::Acquire)
    }

    /// Whether the answer was refused because its bytes are not in order.
    pub fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// A connection from the stack.
    fn rested(&self) -> Option<Inner> {
        if self.single_use {
            return None;
        }
        self.upstream.resting().take(self.upstream.longest_rest())
    }
}

#[async_trait]
impl L4Connect for Loan {
    async fn connect(&self, _address: &SocketAddr) -> Result<Stream> {
        let rested = self.rested();
        self.reused.store(rested.is_some(), Ordering::Release);
        let connection = match rested {
            Some(connection) => connection,
            None => {
                let no_address = || Error::explain(ErrorType::ConnectError, "no address is known");
                let peer = self.plain_peer().ok_or_else(no_address)?;
                // What this needs while it waits is large, and most requests find a connection that rests.
                Box::pin(self.connector.0.new_stream(&*peer)).await?
            }
        };
        let loan = self.me.upgrade();
        let lent = Lent::new(connection, loan);
        Ok(Stream::from(VirtualSocketStream::new(Box::new(lent))))
    }
}

/// The connection while it is lent.
struct Lent<S = Inner> {
    /// Gone when it was given back.
    inner: Option<S>,
    loan: Option<Arc<Loan>>,
    /// What is still to be sent of the head.
    head: BytesMut,
    /// The end of the head has come.
    head_gone: bool,
    answer: Answer,
}

impl<S> std::fmt::Debug for Lent<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

impl<S> Lent<S> {
    fn new(inner: S, loan: Option<Arc<Loan>>) -> Self {
        Self { inner: Some(inner), loan, head: BytesMut::new(), head_gone: false, answer: Answer::new(false) }
    }
}

impl<S: AsyncWrite + Unpin> Lent<S> {
    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        self.inner.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Takes bytes of a head; at its end come our lines, before the empty one.
    fn gather(&mut self, bytes: &[u8]) {
        let from = self.head.len();
        self.head.reserve(bytes.len() + ROOM);
        self.head.extend_from_slice(bytes);
        let ends = |at: &usize| self.head[..*at].ends_with(b"\r\n\r");
        let mut line_ends = memchr::memchr_iter(b'\n', &self.head[from..]).map(|at| from + at);
        let Some(end) = line_ends.find(ends) else { return };
        self.head_gone = true;
        self.answer = Answer::new(self.head.starts_with(b"HEAD "));
        let rest: Vec<u8> = self.head[end - 1..].to_vec();
        self.head.truncate(end - 1);
        if let Some(loan) = &self.loan {
            self.head.extend_from_slice(&loan.lines.lock().unwrap_or_else(PoisonError::into_inner));
        }
        self.head.extend_from_slice(&rest);
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.head_gone && !self.head.is_empty() {
            let Some(inner) = &mut self.inner else { break };
            let written = ready!(Pin::new(inner).poll_write(cx, &self.head))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.head.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_inner(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.head_gone {
            ready!(self.poll_head(cx))?;
            return self.inner()?.poll_write(cx, bytes);
        }
        self.gather(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
}

impl Lent {
    /// The answer is complete, and the other end has promised to keep the connection: it comes back to the others, if it
    /// is silent.
    fn give_back(&mut self) {
        let (Some(mut connection), Some(loan)) = (self.inner.take(), &self.loan) else { return };
        if !loan.single_use && self.head_gone && self.head.is_empty() && is_silent(&mut connection) {
            loan.upstream.resting().put(connection);
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // pingora reads once, and waits for nothing, before it puts a connection into its own pool. It finds this one
        // closed, and leaves it.
        if cx.waker().data().is_null() {
            self.give_back();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(self.inner()?.poll_read(cx, buf))?;
        self.answer.follow(&buf.filled()[before..]).map_err(|refused| {
            if let Some(loan) = &self.loan {
                loan.refused.store(true, Ordering::Release);
            }
            io::Error::new(io::ErrorKind::InvalidData, refused)
        })?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_inner(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_head(cx))?;
        self.inner()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_head(cx))?;
        match &mut self.inner {
            Some(inner) => Pin::new(inner).poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl VirtualSocket for Lent {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn lent<S>(inner: S, lines: &str) -> Lent<S> {
        let mut settings = crate::settings::load(&crate::settings::Inputs::default()).0.unwrap();
        settings.timeouts.upstream_idle = Duration::from_secs(60);
        let backends = super::super::Backends::new(&settings);
        let backend = backends.all().next().unwrap();
        let serving = backend.pick(super::super::Tried::default(), true).unwrap();
        let (_, loan) = backend.lend(&serving, false, Patience::default()).unwrap();
        loan.say(lines.as_bytes().to_vec());
        Lent::new(inner, Some(loan))
    }

    /// What goes out when a head comes in these pieces, and a body behind it.
    async fn sent(pieces: &[&str], body: &str) -> String {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut lent = lent(ours, "X-A: 1\r\nX-B: 2\r\n");
        let reading = tokio::spawn(async move {
            let mut all = String::new();
            theirs.read_to_string(&mut all).await.unwrap();
            all
        });
        for piece in pieces {
            let mut written = 0;
            while written < piece.len() {
                let bytes = &piece.as_bytes()[written..];
                written += std::future::poll_fn(|cx| lent.poll_write_inner(cx, bytes)).await.unwrap();
            }
        }
        std::future::poll_fn(|cx| lent.poll_head(cx)).await.unwrap();
        lent.inner.as_mut().unwrap().write_all(body.as_bytes()).await.unwrap();
        drop(lent);
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn our_lines_are_the_last_of_the_head_however_it_comes() {
        let expected = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\n\r\nbody";
        let head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(sent(&[head], "body").await, expected);
        for at in 1..head.len() {
            assert_eq!(sent(&[&head[..at], &head[at..]], "body").await, expected, "{at}");
        }
    }

    async fn pair() -> (Inner, tokio::net::TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Box::new(Stream::from(ours)), listener.accept().await.unwrap().0)
    }

    /// Until the system has told us what the other end did.
    async fn noticed(connection: &mut Inner) {
        for _ in 0..10_000 {
            if !is_silent(connection) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("nothing happened");
    }

    #[tokio::test]
    async fn only_good_connections_are_lent_again() {
        const LONG: Duration = Duration::from_secs(60);
        let resting = Resting::default();
        let (first, _first) = pair().await;
        let (mut second, closed) = pair().await;
        drop(closed);
        noticed(&mut second).await;
        resting.put(first);
        resting.put(second);
        assert!(resting.take(LONG).is_some(), "the closed one is passed over");
        assert!(resting.take(LONG).is_none());
        let (third, _third) = pair().await;
        resting.put(third);
        resting.sweep(LONG);
        assert_eq!(resting.len(), 1);
        assert!(resting.take(Duration::ZERO).is_none(), "it has rested for too long");
        assert_eq!(resting.len(), 0);
        let (mut fourth, closed) = pair().await;
        drop(closed);
        noticed(&mut fourth).await;
        resting.put(fourth);
        resting.sweep(LONG);
        assert_eq!(resting.len(), 0, "whoever is closed is not kept");
    }
}
