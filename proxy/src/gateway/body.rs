//! The body of a request on its way to a backend: how large, how slow, and kept for the fallback.
//!
//! Part of step 5 (forward). A body streams to the candidate, and is kept meanwhile. pingora keeps 64 KiB by itself and
//! sends that to the next backend; what is larger is kept here, without copying it, if the route has a fallback. How
//! it is sent again depends on how far the client has come: in front of the rest, or by the connection itself
//! (`upstream::replay`) when there is no rest.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING};
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};

use super::context::Context;
use super::memory::{Memory, Room};
use super::{Gateway, connection};

/// What pingora keeps by itself.
pub(super) const PINGORA_KEEPS: usize = 64 * 1024;

/// What was read of a body so far.
#[derive(Debug)]
pub(super) struct Kept {
    chunks: Vec<Bytes>,
    size: usize,
    most: usize,
    room: Room,
    /// This attempt has to send it before anything else.
    due: bool,
}

impl Kept {
    fn new(memory: &Arc<Memory>, most: usize) -> Self {
        Self { chunks: Vec::new(), size: 0, most, room: Room::new(memory), due: false }
    }

    /// Room for a body of which it is known how long it is; `None` if there is not enough memory.
    pub(super) fn reserved(memory: &Arc<Memory>, length: usize) -> Option<Self> {
        let mut kept = Self::new(memory, length);
        kept.room.grow(length).then_some(kept)
    }

    /// The whole body, for which there is room.
    pub(super) fn fill(&mut self, parts: Vec<Bytes>) {
        self.size = parts.iter().map(Bytes::len).sum();
        self.chunks = parts;
    }

    /// Keeps more; a word about why not, if it cannot.
    fn add(&mut self, bytes: &Bytes) -> std::result::Result<(), &'static str> {
        if self.size + bytes.len() > self.most {
            return Err("too_large");
        }
        if !self.room.grow(bytes.len()) {
            return Err("no_memory");
        }
        self.size += bytes.len();
        self.chunks.push(bytes.clone());
        Ok(())
    }

    /// Everything is about to be read again.
    fn forget(&mut self) {
        self.chunks.clear();
        self.size = 0;
        self.room.clear();
    }

    /// What was read before, and these bytes.
    fn before(&self, more: Option<&Bytes>) -> Bytes {
        let mut whole = BytesMut::with_capacity(self.size + more.map_or(0, Bytes::len));
        self.chunks.iter().chain(more).for_each(|chunk| whole.extend_from_slice(chunk));
        whole.freeze()
    }
}

/// About as much as Ficus itself adds to a head, without what depends on the request.
const OURS: usize = 700;

/// Whether head and body, with what is added to them, can be sent at once: see `upstream`.
fn is_small(session: &mut Session, route: Option<&str>) -> bool {
    let body = match length(session) {
        Some(length) => usize::try_from(length).unwrap_or(usize::MAX),
        None if session.as_downstream_mut().is_body_empty() => 0,
        None => return false,
    };
    let request = session.req_header();
    let headers = &request.headers;
    if headers.contains_key(EXPECT) || headers.contains_key(TRANSFER_ENCODING) {
        return false;
    }
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>();
    // Two of the added headers name the host.
    let host = 2 * headers.get(HOST).map_or(0, http::HeaderValue::len);
    let head = request.raw_path().len() + lines + host + route.map_or(0, str::len) + OURS;
    head.saturating_add(body) <= crate::upstream::MOST_AT_ONCE
}

/// The announced length of a body.
pub(super) fn length(session: &Session) -> Option<u64> {
    session.req_header().headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Gateway {
    /// A body that announces that it is too large need not be sent at all.
    pub(super) fn check_body_length(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        ctx.small = !ctx.safe && is_small(session, ctx.route.as_ref().map(|route| route.name.as_str()));
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

    /// Begins to keep a body that pingora would not, if the fallback may need it.
    pub(super) fn keep_body(&self, session: &mut Session, ctx: &mut Context) {
        if ctx.fallback.is_none() || ctx.upgrade || session.as_downstream_mut().is_body_empty() {
            return;
        }
        let most = self.settings.limits.replay_bytes;
        match length(session).map(|length| usize::try_from(length).unwrap_or(usize::MAX)) {
            Some(length) if length <= PINGORA_KEEPS => {}
            Some(length) if length > most => ctx.unkept = Some("too_large"),
            _ => ctx.kept = Some(Kept::new(&self.memory, most)),
        }
    }

    /// Sees to it that what was read in earlier attempts is sent in this one.
    pub(super) fn send_again(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        peer: Box<HttpPeer>,
    ) -> Box<HttpPeer> {
        ctx.replayed = None;
        let (Some(kept), Some(backend)) = (&mut ctx.kept, &ctx.attempt.backend) else { return peer };
        kept.due = false;
        if kept.chunks.is_empty() {
            return peer;
        }
        if !session.as_downstream().retry_buffer_truncated() {
            // pingora sends it, through `pass_body`.
            kept.forget();
            return peer;
        }
        if !session.as_downstream_mut().is_body_done() {
            kept.due = true;
            return peer;
        }
        for capture in [&mut ctx.capture, &mut ctx.tape].into_iter().flatten() {
            // These bytes do not come through `pass_body`.
            kept.chunks.iter().for_each(|chunk| capture.request_body(chunk));
        }
        ctx.replayed = Some(kept.size);
        // This connection sends the body by itself, and is not lent.
        let plain = ctx.attempt.loan.take().and_then(|loan| loan.plain_peer());
        backend.replaying(plain.unwrap_or(peer), kept.chunks.clone())
    }

    /// Bytes of the body on their way to a backend.
    pub(super) fn pass_body(
        &self,
        session: &Session,
        body: &mut Option<Bytes>,
        ctx: &mut Context,
    ) -> Result<()> {
        if ctx.upgrade {
            return Ok(());
        }
        if let Some(kept) = &mut ctx.kept {
            let before = std::mem::take(&mut kept.due).then(|| kept.before(body.as_ref()));
            if let Some(Err(reason)) = body.as_ref().map(|bytes| kept.add(bytes)) {
                (ctx.kept, ctx.unkept) = (None, Some(reason));
            }
            if before.is_some() {
                *body = before;
            }
        }
        let Some(bytes) = body.as_ref() else { return Ok(()) };
        for capture in [&mut ctx.capture, &mut ctx.tape].into_iter().flatten() {
            capture.request_body(bytes);
        }
        ctx.received += bytes.len() as u64;
        if ctx.received > self.settings.limits.body_bytes {
            return self.refuse_body(413, "body_too_large", ctx);
        }
        self.check_pace(session, ctx)
    }

    /// Whoever sends slowly for long is given up.
    pub(super) fn check_pace(&self, session: &Session, ctx: &mut Context) -> Result<()> {
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

    pub(super) fn refuse_body(&self, status: u16, reason: &'static str, ctx: &mut Context) -> Result<()> {
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
        let mut first = Kept::new(&memory, 80);
        let mut second = Kept::new(&memory, 80);
        let sixty = Bytes::from(vec![b'x'; 60]);
        assert_eq!(first.add(&sixty), Ok(()));
        assert_eq!(first.add(&sixty), Err("too_large"));
        assert_eq!(second.add(&sixty), Err("no_memory"));
        first.forget();
        assert_eq!(second.add(&sixty), Ok(()));
        drop(second);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn what_was_read_comes_before_what_follows() {
        let mut kept = Kept::new(&Arc::new(Memory::new(100)), 100);
        kept.add(&Bytes::from_static(b"what ")).unwrap();
        kept.add(&Bytes::from_static(b"was read ")).unwrap();
        assert_eq!(kept.before(Some(&Bytes::from_static(b"and more"))), "what was read and more");
        assert_eq!(kept.before(None), "what was read ");
    }
}
