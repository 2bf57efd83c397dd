//! A client's connection, as pingora reads and writes it.
//!
//! Below step 1 of a request (accept). It does what pingora leaves open: requests that HTTP allows and nothing else,
//! with a deadline for a complete head, whatever the pace of its bytes (`arrival`); an answer that leaves when there
//! is nothing more to add to it, not when it is complete; the origin's `Date`; no trace of pingora in the answers it
//! gives by itself; a close that does not tear away an answer the client has not read yet.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{IO, Shutdown, SocketDigest, Stream};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Instant;

use super::arrival::{Arrival, Heads, Rules, Turn};
use super::preface::Preface;
use super::request_checks::Rejection;
use super::rest::{Idle, Rest};
use super::stuck::Stuck;
use super::transport::Transport;
use super::{linger, wire};

/// Small writes are gathered up to this size: head and body of most answers leave in one packet train.
const GATHER: usize = 8 * 1024;
/// How much of that memory an idle connection keeps for its next answer.
const KEPT: usize = 1024;

/// What the gateway tells a connection about the request on it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// The gateway is at a request.
    busy: AtomicBool,
    /// Which requests have arrived in order.
    heads: Heads,
    /// The origin's Date, to be put into the next head.
    date: Mutex<Option<[u8; wire::DATE_LENGTH]>>,
    has_date: AtomicBool,
    /// The client may still be sending a body that nobody will read.
    unread: AtomicBool,
    /// Time spent waiting for the client during this request, in milliseconds.
    waited: AtomicU64,
    rest: Arc<Rest>,
    /// Whether that time is of interest.
    body_expected: AtomicBool,
}

/// A client's connection.
pub struct Connection {
    pub(super) transport: Transport,
    pub(super) digest: Arc<SocketDigest>,
    pub(super) tls: Option<Arc<SslDigest>>,
    marks: Arc<Marks>,
    gathered: BytesMut,
    rules: Arc<Rules>,
    /// What is arriving; nothing for HTTP/2, where frames say where things end.
    arrival: Option<Arrival>,
    /// What HTTP/2 begins with; HTTP/1 does not look at it.
    preface: Preface,
    /// Since when an HTTP/2 client has taken nothing.
    stuck: Stuck,
    /// Since when a body has been waited for.
    waiting: Option<Instant>,
    /// The connection itself has answered, and that was the last answer.
    refused: bool,
    client_left: bool,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Marks {
    /// The gateway has read a complete head: whether it is one.
    pub(super) fn head_complete(&self) -> Result<(), Rejection> {
        self.busy.store(true, Ordering::Release);
        self.heads.take()
    }

    /// Whether the connection rests between two requests.
    pub(super) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Whether the connection can bring no more requests.
    pub(super) fn is_last(&self) -> bool {
        self.heads.is_last()
    }

    /// Whether the body of the request in progress is no body.
    pub(super) fn has_bad_body(&self) -> bool {
        self.heads.has_bad_body()
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
        self.busy.store(false, Ordering::Release);
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

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }
}

/// The marks of an HTTP/1 connection; HTTP/2 has several requests at once and needs none.
pub(super) fn marks(stream: Option<&Stream>) -> Option<&Marks> {
    let io: &dyn IO = &**stream?;
    io.as_any().downcast_ref::<Connection>().map(|connection| &*connection.marks)
}

impl Connection {
    /// A connection from `peer`.
    pub fn new(transport: Transport, peer: SocketAddr, rules: Arc<Rules>) -> Self {
        let digest = SocketDigest::from_raw_fd(transport.fd());
        let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
        let marks = Marks::default();
        // Many requests at once in HTTP/2: pingora's own bounds hold.
        let arrival = (!transport.is_http2()).then(|| Arrival::new(rules.head_limits()));
        marks.busy.store(arrival.is_none(), Ordering::Release);
        let tls = matches!(transport, Transport::Tls(_))
            .then(|| Arc::new(SslDigest::new("", "", None, None, Vec::new())));
        Self {
            transport,
            digest: Arc::new(digest),
            tls,
            marks: Arc::new(marks),
            gathered: BytesMut::new(),
            rules,
            preface: Preface::new(),
            stuck: Stuck::default(),
            arrival,
            waiting: None,
            refused: false,
            client_left: false,
        }
    }

    /// Whether the client has chosen HTTP/2.
    pub(super) fn is_http2(&self) -> bool {
        self.arrival.is_none()
    }

    /// Tells whether it is idle; HTTP/2 connections carry many requests and never say so.
    pub fn idle(&self) -> Option<Idle> {
        (!self.is_http2()).then(|| Idle(Arc::clone(&self.marks.rest)))
    }

    /// Ready when there may be something to read, if nothing has been read but requests that are answered.
    pub(super) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<()> {
        let between =
            self.arrival.as_ref().is_some_and(|arrival| arrival.is_between_requests(&self.marks.heads));
        if between && !self.refused && !self.client_left {
            self.transport.poll_readable(cx)
        } else {
            Poll::Ready(())
        }
    }

    /// Whether pingora may read now, and what it gets if not.
    fn poll_turn(&mut self) -> Poll<io::Result<()>> {
        let Some(arrival) = &mut self.arrival else { return Poll::Ready(Ok(())) };
        match arrival.turn(&self.marks.heads, self.marks.is_busy()) {
            Turn::Read => Poll::Ready(Ok(())),
            Turn::Wait => Poll::Pending,
            Turn::BadBody => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            Turn::Refuse(rejection) => Poll::Ready(Err(self.refuse(rejection))),
        }
    }

    /// Looks at what was read; how much of it pingora may see.
    fn look_at(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(arrival) = &mut self.arrival else {
            self.preface.arrived(bytes.len());
            return Ok(bytes.len());
        };
        arrival.limit(self.rules.head_limits());
        let good = arrival.arrived(bytes, &self.marks.heads);
        if !self.marks.is_busy()
            && arrival.head_arrives()
            && let Some(too_slow) = arrival.is_slow(self.rules.head_time())
        {
            return Err(self.refuse(too_slow));
        }
        Ok(good)
    }

    /// Waits for the rest of a head, or of what HTTP/2 begins with, but not for ever.
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(arrival) = &mut self.arrival else {
            ready!(self.preface.poll_slow(cx, self.rules.head_time()));
            (self.rules.on_refused)("slow_head");
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if !self.marks.is_busy() {
            // Perhaps it began during the request before.
            arrival.head_arrives();
        }
        let too_slow = ready!(arrival.poll_slow(cx, self.rules.head_time()));
        Poll::Ready(Err(self.refuse(too_slow)))
    }

    fn poll_write_gathered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.gathered.is_empty() {
            let written = Pin::new(&mut self.transport).poll_write(cx, &self.gathered);
            let written = ready!(self.poll_stuck(cx, written))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.gathered.advance(written);
        }
        Poll::Ready(Ok(()))
    }

    /// What came of a write or a flush; over HTTP/1, pingora looks how long it takes.
    fn poll_stuck<T>(&mut self, cx: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if self.is_http2() { self.stuck.poll(cx, self.rules.body_time(), write) } else { write }
    }

    /// Answers in place of the gateway, which has no request to answer to.
    fn refuse(&mut self, rejection: Rejection) -> io::Error {
        if !std::mem::replace(&mut self.refused, true) {
            (self.rules.on_refused)(rejection.reason);
            self.gathered.extend_from_slice(wire::refusal(rejection.status).as_bytes());
        }
        io::ErrorKind::InvalidData.into()
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
        ready!(self.poll_turn())?;
        let before = buf.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.transport).poll_read(cx, buf) else {
            if self.waiting.is_none() && self.marks.body_expected.load(Ordering::Acquire) {
                self.waiting = Some(Instant::now());
            }
            return self.poll_slow(cx);
        };
        read?;
        if let Some(waiting) = self.waiting.take() {
            let waited = u64::try_from(waiting.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.marks.waited.fetch_add(waited, Ordering::AcqRel);
        }
        let arrived = buf.filled().len() - before;
        if arrived == 0 {
            self.client_left = true;
            return Poll::Ready(Ok(()));
        }
        let good = self.look_at(&buf.filled()[before..])?;
        buf.set_filled(before + good);
        if good == 0 {
            // Nothing is left to be seen, and no bytes would mean that the client has left.
            return self.poll_turn();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // What is written before the gateway has seen a head is pingora's refusal of bytes that are no HTTP.
        if self.refused || (!self.marks.is_busy() && bytes.starts_with(b"HTTP/1.")) {
            if let Some(rejection) = self.arrival.as_ref().map(Arrival::refusal) {
                self.refuse(rejection);
            }
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.gathered.len() + bytes.len() > GATHER {
            ready!(self.poll_write_gathered(cx))?;
        }
        if bytes.len() >= GATHER {
            let written = Pin::new(&mut self.transport).poll_write(cx, bytes);
            return self.poll_stuck(cx, written);
        }
        self.gather(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_gathered(cx))?;
        if !self.marks.is_busy() && self.gathered.capacity() > KEPT {
            self.gathered = BytesMut::new();
        }
        let flushed = Pin::new(&mut self.transport).poll_flush(cx);
        self.poll_stuck(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_gathered(cx))?;
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let listen = self.refused || self.marks.unread.load(Ordering::Acquire);
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
