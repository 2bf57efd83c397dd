//! The body of a request on its way to a backend: how large, how slow, and kept for the fallback.
//!
//! Part of step 5 (forward). pingora keeps up to 64 KiB of what it reads, and sends that again to the next backend.
//! Larger bodies are kept here, if the route has a fallback: everything but the last 64 KiB is read before any
//! backend is asked, and put in front of what pingora sends, each time it begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use pingora::http::Version;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use tokio::time::timeout;

use super::context::Context;
use super::{Gateway, connection};

/// What pingora keeps by itself.
const PINGORA_KEEPS: usize = 64 * 1024;

/// The memory for all bodies that are kept.
#[derive(Debug)]
pub(super) struct Memory {
    used: AtomicUsize,
    most: usize,
}

/// A part of the memory, until it is dropped.
#[derive(Debug)]
struct Room {
    memory: Arc<Memory>,
    size: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.size, Ordering::AcqRel);
    }
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most }
    }

    fn take(self: &Arc<Self>, size: usize) -> Option<Room> {
        let more = |used: usize| used.checked_add(size).filter(|sum| *sum <= self.most);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Room { memory: Arc::clone(self), size })
    }
}

/// The beginning of a body that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    beginning: Bytes,
    /// This attempt has sent it.
    sent: bool,
    _room: Room,
}

impl Kept {
    /// Another attempt begins.
    pub(super) fn rewind(&mut self) {
        self.sent = false;
    }

    /// Puts the beginning in front of the first bytes of an attempt.
    fn complete(&mut self, body: &mut Option<Bytes>) {
        if std::mem::replace(&mut self.sent, true) {
            return;
        }
        let rest = body.take().unwrap_or_default();
        let mut whole = BytesMut::with_capacity(self.beginning.len() + rest.len());
        whole.extend_from_slice(&self.beginning);
        whole.extend_from_slice(&rest);
        *body = Some(whole.freeze());
    }
}

/// The announced length of a body.
fn length(session: &Session) -> Option<u64> {
    session.req_header().headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Gateway {
    /// A body that announces that it is too large need not be sent at all.
    pub(super) fn check_body_length(&self, session: &Session, ctx: &mut Context) -> Result<()> {
        if length(session).is_some_and(|length| length > self.settings.limits.body_bytes) {
            return self.refuse_body(413, "body_too_large", ctx);
        }
        let headers = &session.req_header().headers;
        if (headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING))
            && let Some(marks) = connection::marks(session.as_downstream().stream())
        {
            marks.body_begins();
        }
        Ok(())
    }

    /// Reads what pingora would not keep, if the fallback may need it.
    pub(super) async fn keep_body(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        if ctx.fallback.is_none() || ctx.upgrade {
            return Ok(());
        }
        let Some(length) = length(session).and_then(|length| usize::try_from(length).ok()) else {
            return Ok(());
        };
        if length <= PINGORA_KEEPS {
            return Ok(());
        }
        if length > self.settings.limits.replay_bytes {
            ctx.unkept = Some("too_large");
            return Ok(());
        }
        let Some(room) = self.memory.take(length) else {
            ctx.unkept = Some("no_memory");
            return Ok(());
        };
        if session.req_header().headers.contains_key(EXPECT)
            && session.req_header().version != Version::HTTP_10
        {
            session.as_downstream_mut().write_continue_response().await?;
        }
        let beginning = self.read_beginning(length, session, ctx).await?;
        // pingora keeps what is read from here on: it fits.
        session.as_downstream_mut().enable_retry_buffering();
        ctx.kept = Some(Kept { beginning, sent: false, _room: room });
        Ok(())
    }

    /// Reads until no more is left than pingora keeps. It never reads more than that at once, so something is left.
    async fn read_beginning(&self, length: usize, session: &mut Session, ctx: &mut Context) -> Result<Bytes> {
        let mut beginning = BytesMut::with_capacity(length);
        let silence = self.settings.timeouts.client_body;
        while length - beginning.len() > PINGORA_KEEPS {
            let read = timeout(silence, session.as_downstream_mut().read_request_body()).await;
            let Ok(read) = read else {
                return Err(Error::explain(ErrorType::ReadTimedout, "slow_body").into_down());
            };
            let chunk = read.map_err(Error::into_down)?;
            let Some(chunk) = chunk.filter(|chunk| chunk.len() < length - beginning.len()) else {
                return Err(Error::explain(ErrorType::ReadError, "the body ends too early").into_down());
            };
            beginning.extend_from_slice(&chunk);
            ctx.received += chunk.len() as u64;
            self.check_pace(session, ctx)?;
        }
        Ok(beginning.freeze())
    }

    /// Bytes of the body on their way to a backend.
    pub(super) fn pass_body(
        &self,
        session: &Session,
        body: &mut Option<Bytes>,
        ctx: &mut Context,
    ) -> Result<()> {
        if let Some(kept) = &mut ctx.kept {
            kept.complete(body);
        }
        let Some(bytes) = body.as_ref().filter(|_| !ctx.upgrade) else { return Ok(()) };
        if let Some(capture) = &mut ctx.capture {
            capture.request_body(bytes);
        }
        ctx.received += bytes.len() as u64;
        if ctx.received > self.settings.limits.body_bytes {
            return self.refuse_body(413, "body_too_large", ctx);
        }
        if ctx.fallback.is_some() && ctx.unkept.is_none() && session.as_downstream().retry_buffer_truncated()
        {
            ctx.unkept = Some("unknown_length");
        }
        self.check_pace(session, ctx)
    }

    /// Whoever sends slowly for long is given up.
    fn check_pace(&self, session: &Session, ctx: &mut Context) -> Result<()> {
        let waited = match connection::marks(session.as_downstream().stream()) {
            Some(marks) => marks.waited_for_body(),
            None => ctx.started.elapsed(),
        };
        if waited <= self.settings.timeouts.client_body {
            return Ok(());
        }
        let expected = waited.as_secs_f64() * self.settings.limits.body_rate as f64;
        if ctx.received as f64 >= expected {
            return Ok(());
        }
        self.refuse_body(408, "slow_body", ctx)
    }

    fn refuse_body(&self, status: u16, reason: &'static str, ctx: &mut Context) -> Result<()> {
        self.observer.rejected(reason);
        ctx.reason = reason;
        Error::e_explain(ErrorType::HTTPStatus(status), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_bounded_and_free_again() {
        let memory = Arc::new(Memory::new(100));
        let room = memory.take(60).unwrap();
        assert!(memory.take(41).is_none());
        drop(room);
        assert!(memory.take(100).is_some());
        assert!(memory.take(usize::MAX).is_none());
    }

    #[test]
    fn the_beginning_is_sent_once_per_attempt() {
        let memory = Arc::new(Memory::new(100));
        let room = memory.take(5).unwrap();
        let mut kept = Kept { beginning: Bytes::from_static(b"begin"), sent: false, _room: room };
        for _ in 0..2 {
            let mut body = Some(Bytes::from_static(b"ning"));
            kept.complete(&mut body);
            assert_eq!(body.as_deref(), Some(&b"beginning"[..]));
            let mut more = Some(Bytes::from_static(b"!"));
            kept.complete(&mut more);
            assert_eq!(more.as_deref(), Some(&b"!"[..]));
            kept.rewind();
        }
    }
}
