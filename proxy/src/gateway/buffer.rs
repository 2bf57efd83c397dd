//! Between steps 4 and 5: small bodies are awaited before a backend is asked.
//!
//! A worker of gunicorn that reads a body waits for its client, and does nothing else meanwhile: a few clients that send
//! slowly would take the whole application away from everybody. What is read here is what pingora keeps of each body
//! anyway in order to send it again; a body that is larger, or whose length nobody knows, streams.

use std::time::Instant;

use http::header::EXPECT;
use pingora::proxy::Session;
use pingora::{ErrorType, Result};
use tokio::time::timeout;

use super::Gateway;
use super::body::{PINGORA_KEEPS, length};
use super::context::Context;
use super::memory::Room;

impl Gateway {
    /// Reads all of a small body, as long as there is memory for it.
    pub(super) async fn await_body(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        let began = Instant::now();
        let mut room = Room::new(&self.buffers);
        session.as_downstream_mut().enable_retry_buffering();
        while !session.as_downstream_mut().is_body_done() {
            // pingora has a timeout of its own for HTTP/1, and none for HTTP/2.
            let reading = session.as_downstream_mut().read_request_body();
            let part = match timeout(self.settings.timeouts.client_body, reading).await {
                Ok(Ok(Some(part))) => part,
                Ok(Ok(None)) => break,
                Ok(Err(error)) if *error.etype() != ErrorType::ReadTimedout => return Err(error.into_down()),
                Ok(Err(_)) | Err(_) => return self.refuse_body(408, "slow_body", ctx),
            };
            ctx.received += part.len() as u64;
            self.check_pace(session, ctx)?;
            if !room.grow(part.len()) {
                break;
            }
        }
        ctx.buffered = Some(room);
        ctx.held += began.elapsed();
        Ok(())
    }

    /// Whether a body is small and not there yet. Whoever expects to be told to go on waits for the backend's word.
    pub(super) fn awaits_body(&self, session: &mut Session, ctx: &Context) -> bool {
        let small = |length| (1..=PINGORA_KEEPS as u64).contains(&length);
        self.settings.limits.buffer_bodies
            && !ctx.upgrade
            && length(session).is_some_and(small)
            && !session.req_header().headers.contains_key(EXPECT)
            && !session.as_downstream_mut().is_body_done()
    }
}
