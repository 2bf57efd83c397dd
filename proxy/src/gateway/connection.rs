//! A client's connection, as pingora reads and writes it.
//!
//! Below step 1 of a request (accept). It does what pingora leaves open: a deadline for a complete head, whatever
//! the pace of its bytes; an answer that leaves when there is nothing more to add to it, not when it is complete;
//! the origin's `Date`; no trace of pingora in the answers it gives by itself; a close that does not tear away an
//! answer the client has not read yet.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, IO, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::transport::Transport;
use super::{linger, wire};

/// Small writes are gathered up to this size: head and body of most answers leave in one packet train.
const GATHER: usize = 8 * 1024;

/// What the gateway tells a connection about the request on it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// See [`Phase`].
    phase: AtomicU8,
    /// The origin's Date, to be put into the next head.
    date: Mutex<Option<[u8; wire::DATE_LENGTH]>>,
    has_date: AtomicBool,
    /// The request line has bytes that pingora would repair.
    bad_line: AtomicBool,
    /// The client may still be sending a body that nobody will read.
    unread: AtomicBool,
    /// Time spent waiting for the client during this request, in milliseconds.
    waited: AtomicU64,
    /// Nobody waits for the next request any more.
    given_up: AtomicBool,
    /// Whether that time is of interest.
    body_expected: AtomicBool,
}

/// Where a connection is between two requests.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing of the next request has arrived.
    Idle = 0,
    /// Part of a head has arrived.
    Head = 1,
    /// The gateway has the head.
    Request = 2,
}

/// A client's connection.
pub struct Connection {
    transport: Transport,
    digest: Arc<SocketDigest>,
    tls: Option<Arc<SslDigest>>,
    marks: Arc<Marks>,
    gathered: BytesMut,
    head_time: Duration,
    head_started: Option<Instant>,
    line: wire::RequestLine,
    /// Since when a body has been waited for.
    waiting: Option<Instant>,
    deadline: Option<Pin<Box<Sleep>>>,
    on_malformed: Arc<dyn Fn() + Send + Sync>,
    malformed: bool,
    client_left: bool,
}

/// Tells whether a connection is between two requests.
#[derive(Debug, Clone)]
pub struct Idle(Arc<Marks>);

impl Idle {
    /// Whether no request is on the connection, nor a part of one.
    pub fn is_idle(&self) -> bool {
        self.0.is(Phase::Idle)
    }

    /// The connection is given up; false if it already was, or is no longer idle.
    pub fn give_up(&self) -> bool {
        self.is_idle() && !self.0.given_up.swap(true, Ordering::AcqRel)
    }

    /// Of a connection that does nothing, for tests.
    #[cfg(test)]
    pub fn always() -> Self {
        Self(Arc::default())
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Marks {
    /// Whether the request line is as HTTP wants it.
    pub(super) fn line_is_good(&self) -> bool {
        !self.bad_line.load(Ordering::Acquire)
    }

    /// The gateway has read a complete head.
    pub(super) fn head_complete(&self) {
        self.phase.store(Phase::Request as u8, Ordering::Release);
    }

    /// A body may follow the head: how long the client takes for it matters.
    pub(super) fn body_begins(&self) {
        self.waited.store(0, Ordering::Release);
        self.body_expected.store(true, Ordering::Release);
    }

    /// How long the client was waited for since the body began.
    pub(super) fn waited_for_body(&self) -> Duration {
        Duration::from_millis(self.waited.load(Ordering::Acquire))
    }

    /// The gateway is done with the request; `unread`: but the client is not.
    pub(super) fn request_done(&self, unread: bool) {
        self.unread.store(unread, Ordering::Release);
        self.body_expected.store(false, Ordering::Release);
        self.phase.store(Phase::Idle as u8, Ordering::Release);
    }

    /// The next head gets this Date, if it has the usual form.
    pub(super) fn keep_date(&self, date: &[u8]) {
        if let Ok(date) = date.try_into() {
            *self.date.lock().unwrap_or_else(PoisonError::into_inner) = Some(date);
            self.has_date.store(true, Ordering::Release);
        }
    }

    fn take_date(&self) -> Option<[u8; wire::DATE_LENGTH]> {
        // Heads are rare beside body writes: those cost one load.
        if !self.has_date.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.date.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn is(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Acquire) == phase as u8
    }
}

/// The marks of an HTTP/1 connection; HTTP/2 has several requests at once and needs none.
pub(super) fn marks(stream: Option<&Stream>) -> Option<&Marks> {
    let io: &dyn IO = &**stream?;
    io.as_any().downcast_ref::<Connection>().map(|connection| &*connection.marks)
}

fn is_http2(transport: &Transport) -> bool {
    matches!(transport, Transport::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
}

impl Connection {
    /// A connection from `peer`, on which a head must be complete within `head_time`; `on_malformed` is called for
    /// each head that is no HTTP at all.
    pub fn new(
        transport: Transport,
        peer: SocketAddr,
        head_time: Duration,
        on_malformed: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        let digest = SocketDigest::from_raw_fd(transport.fd());
        let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
        let marks = Marks::default();
        if is_http2(&transport) {
            // Many requests at once: pingora's own bounds hold.
            marks.head_complete();
        }
        let tls = matches!(transport, Transport::Tls(_))
            .then(|| Arc::new(SslDigest::new("", "", None, None, Vec::new())));
        Self {
            transport,
            digest: Arc::new(digest),
            tls,
            marks: Arc::new(marks),
            gathered: BytesMut::new(),
            head_time,
            head_started: None,
            line: wire::RequestLine::default(),
            waiting: None,
            deadline: None,
            on_malformed,
            malformed: false,
            client_left: false,
        }
    }

    /// Tells whether it is idle; HTTP/2 connections carry many requests and never say so.
    pub fn idle(&self) -> Option<Idle> {
        (!is_http2(&self.transport)).then(|| Idle(Arc::clone(&self.marks)))
    }

    /// Starts the clock at the first byte of a head, and looks at the request line.
    fn head_arrived(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.head_started.is_none() {
            self.line = wire::RequestLine::default();
        }
        self.marks.bad_line.store(!self.line.is_good_with(bytes), Ordering::Release);
        match self.head_started {
            None => {
                self.marks.phase.store(Phase::Head as u8, Ordering::Release);
                self.head_started = Some(Instant::now());
                Ok(())
            }
            Some(started) if started.elapsed() < self.head_time => Ok(()),
            Some(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Waits for the rest of a head, but not for ever.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(started) = self.head_started else { return Poll::Pending };
        let until = started + self.head_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_write_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = ready!(Pin::new(&mut self.transport).poll_write(cx, &self.gathered))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// What is written before the gateway has seen a head is pingora's refusal of bytes that are no HTTP.
    fn refuse_malformed(&mut self) {
        if !std::mem::replace(&mut self.malformed, true) {
            (self.on_malformed)();
            self.gathered.extend_from_slice(wire::MALFORMED);
        }
    }

    /// Adds the bytes to what is gathered, with the origin's Date if a head is among them.
    fn gather(&mut self, bytes: &[u8]) {
        let start = self.gathered.len();
        self.gathered.extend_from_slice(bytes);
        if wire::is_final_head(bytes)
            && let Some(date) = self.marks.take_date()
        {
            wire::replace_date(&mut self.gathered[start..], &date);
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever reads has nothing to write at the moment: what is gathered may leave.
        if !self.gathered.is_empty() && self.poll_write_gathered(cx)?.is_ready() {
            let _ = Pin::new(&mut self.transport).poll_flush(cx)?;
        }
        if !self.marks.is(Phase::Head) {
            self.head_started = None;
            self.deadline = None;
        }
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.transport).poll_read(cx, buf) else {
            if self.waiting.is_none() && self.marks.body_expected.load(Ordering::Acquire) {
                self.waiting = Some(Instant::now());
            }
            return self.poll_deadline(cx);
        };
        read?;
        if let Some(waiting) = self.waiting.take() {
            let waited = u64::try_from(waiting.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.marks.waited.fetch_add(waited, Ordering::AcqRel);
        }
        if buf.filled().len() == before {
            self.client_left = true;
        } else if !self.marks.is(Phase::Request) {
            self.head_arrived(&buf.filled()[before..])?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.malformed || (!self.marks.is(Phase::Request) && bytes.starts_with(b"HTTP/1.")) {
            self.refuse_malformed();
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.gathered.len() + bytes.len() > GATHER {
            ready!(self.poll_write_gathered(cx))?;
        }
        if bytes.len() >= GATHER {
            return Pin::new(&mut self.transport).poll_write(cx, bytes);
        }
        self.gather(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_gathered(cx))?;
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_gathered(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let listen = self.malformed || self.marks.unread.load(Ordering::Acquire);
        if !self.client_left && (listen || !self.gathered.is_empty()) {
            let transport = std::mem::replace(&mut self.transport, Transport::Closed);
            linger::close(transport, std::mem::take(&mut self.gathered), listen);
        }
    }
}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        let goodbye = async {
            // Nothing can be done for a client that is gone.
            let _ = self.flush().await;
            let _ = AsyncWriteExt::shutdown(self).await;
        };
        let _ = tokio::time::timeout(linger::PATIENCE, goodbye).await;
    }
}

impl UniqueID for Connection {
    fn id(&self) -> i32 {
        self.transport.fd()
    }
}

impl Ssl for Connection {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.tls.clone()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        is_http2(&self.transport).then_some(ALPN::H2)
    }
}

impl GetTimingDigest for Connection {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl Peek for Connection {}
