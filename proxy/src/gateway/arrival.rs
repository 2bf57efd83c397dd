//! What arrives on a client's HTTP/1 connection: followed, timed, and withheld from the first byte that is wrong.
//!
//! Below step 1 of a request (accept). The grammar is in `framing`; here it meets the state of the connection: which
//! request the gateway is at, and how long the head has been under way.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::framing::{Fault, Follower};
use super::request_checks::{HeadLimits, Rejection};
use crate::settings::Current;

/// What every connection of a listener has in common.
pub struct Rules {
    /// The settings that hold now.
    pub settings: Arc<Current>,
    /// Called with the reason for each request that is refused before the gateway sees it.
    pub on_refused: Box<dyn Fn(&'static str) + Send + Sync>,
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules").finish_non_exhaustive()
    }
}

impl Rules {
    /// Time for a complete head.
    pub(super) fn head_time(&self) -> Duration {
        self.settings.timeouts.client_header
    }

    /// Time for the next bytes of a body, in either direction.
    pub(super) fn body_time(&self) -> Duration {
        self.settings.timeouts.client_body
    }

    /// How large a head may be.
    pub(super) fn head_limits(&self) -> HeadLimits {
        HeadLimits::of(&self.settings.limits)
    }
}

/// How the heads that have arrived compare with those that the gateway has taken in.
#[derive(Debug, Default)]
pub(super) struct Heads {
    /// Complete and in order.
    good: AtomicU64,
    /// Taken in by the gateway.
    taken: AtomicU64,
    /// Behind the last good head follows something that cannot be followed.
    unknown: AtomicBool,
    bad_body: AtomicBool,
    /// Why the head after the good ones is none.
    refused: Mutex<Option<Rejection>>,
}

/// What pingora takes for a head but is none.
const NO_HEAD: Rejection = Rejection { status: 400, reason: "bad_line_end" };

impl Heads {
    /// The gateway has the next head: whether it is in order.
    pub(super) fn take(&self) -> Result<(), Rejection> {
        let mine = self.taken.fetch_add(1, Ordering::AcqRel) + 1;
        if mine <= self.good.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(self.refused.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(NO_HEAD))
    }

    /// Whether the connection can bring no more requests, because nobody knows where they would begin.
    pub(super) fn is_last(&self) -> bool {
        self.unknown.load(Ordering::Acquire)
    }

    /// Whether the body of the request that the gateway is at is no body.
    pub(super) fn has_bad_body(&self) -> bool {
        self.bad_body.load(Ordering::Acquire) && self.gateway_is_at_last()
    }

    /// Whether the gateway has taken in every good head.
    fn gateway_is_at_last(&self) -> bool {
        self.taken.load(Ordering::Acquire) >= self.good.load(Ordering::Acquire)
    }
}

/// The incoming half of a connection.
#[derive(Debug)]
pub(super) struct Arrival {
    follower: Follower,
    fault: Option<Fault>,
    head_started: Option<Instant>,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// What to do when pingora wants to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Read,
    /// There is nothing more to read until the request in progress is over.
    Wait,
    /// The body of the request in progress is broken; the gateway answers.
    BadBody,
    /// There will be no request; the connection answers.
    Refuse(Rejection),
}

const TOO_SLOW: Rejection = Rejection { status: 408, reason: "slow_head" };

impl Arrival {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { follower: Follower::new(limits), fault: None, head_started: None, deadline: None }
    }

    /// The settings may have been read again since the connection began.
    pub(super) fn limit(&mut self, limits: HeadLimits) {
        self.follower.limit(limits);
    }

    /// What is wrong with the head that pingora refuses by itself.
    pub(super) fn refusal(&self) -> Rejection {
        let malformed = Rejection { status: 400, reason: "malformed" };
        self.fault.filter(|fault| !fault.in_body).map_or(malformed, |fault| fault.rejection)
    }

    /// `busy`: the gateway is at a request.
    pub(super) fn turn(&mut self, heads: &Heads, busy: bool) -> Turn {
        if busy {
            self.head_started = None;
            self.deadline = None;
        }
        match self.fault {
            None => Turn::Read,
            Some(Fault { in_body: true, .. }) if heads.gateway_is_at_last() => Turn::BadBody,
            Some(Fault { in_body: true, .. }) => Turn::Wait,
            Some(_) if busy => Turn::Read,
            Some(Fault { rejection, .. }) => Turn::Refuse(rejection),
        }
    }

    /// Takes note of bytes; how many of them pingora may see.
    pub(super) fn arrived(&mut self, bytes: &[u8], heads: &Heads) -> usize {
        if self.fault.is_some() {
            return bytes.len();
        }
        let before = self.follower.heads();
        let followed = self.follower.follow(bytes);
        if self.follower.heads() != before {
            heads.good.store(self.follower.heads(), Ordering::Release);
            if !self.follower.knows_requests() {
                heads.unknown.store(true, Ordering::Release);
            }
        }
        let Err(fault) = followed else { return bytes.len() };
        self.fault = Some(fault);
        if fault.in_body {
            heads.bad_body.store(true, Ordering::Release);
            return fault.good;
        }
        *heads.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault.rejection);
        // pingora sees the head, and the gateway refuses it with a page.
        bytes.len()
    }

    /// Whether nothing has arrived behind the requests that the gateway has taken in.
    pub(super) fn is_between_requests(&self, heads: &Heads) -> bool {
        self.fault.is_none()
            && self.follower.is_between_requests()
            && heads.gateway_is_at_last()
            && !heads.is_last()
    }

    /// Starts the clock at the first byte of a head; whether a head has begun.
    pub(super) fn head_arrives(&mut self) -> bool {
        if self.head_started.is_none() && !self.follower.is_between_requests() {
            self.head_started = Some(Instant::now());
        }
        self.head_started.is_some()
    }

    /// Waits for the rest of a head, but not for ever.
    pub(super) fn poll_slow(&mut self, cx: &mut Context<'_>, head_time: Duration) -> Poll<Rejection> {
        let Some(started) = self.head_started else { return Poll::Pending };
        let until = started + head_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(TOO_SLOW)
    }

    /// The same for a client that always sends something.
    pub(super) fn is_slow(&self, head_time: Duration) -> Option<Rejection> {
        self.head_started.filter(|started| started.elapsed() >= head_time).map(|_| TOO_SLOW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { header_bytes: 500, uri_bytes: 100, raw_targets: false };
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn a_fault_concerns_only_the_request_it_is_in() {
        let (mut arrival, heads) = (Arrival::new(LIMITS), Heads::default());
        let bytes = [GET, POST, b"\r\nx"].concat();
        assert_eq!(arrival.arrived(&bytes, &heads), GET.len() + POST.len());
        assert_eq!(heads.take(), Ok(()));
        assert_eq!(arrival.turn(&heads, true), Turn::Wait);
        assert!(!heads.has_bad_body());
        assert_eq!(heads.take(), Ok(()));
        assert_eq!(arrival.turn(&heads, true), Turn::BadBody);
        assert!(heads.has_bad_body());
    }

    #[test]
    fn a_bad_head_is_refused_when_it_is_its_turn() {
        let (mut arrival, heads) = (Arrival::new(LIMITS), Heads::default());
        let bytes = [GET, b"GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(arrival.arrived(&bytes, &heads), bytes.len());
        assert_eq!(heads.take(), Ok(()));
        assert_eq!(arrival.turn(&heads, true), Turn::Read);
        assert_eq!(arrival.turn(&heads, false), Turn::Refuse(arrival.refusal()));
        assert_eq!(heads.take(), Err(Rejection { status: 400, reason: "no_host" }));
    }

    #[test]
    fn a_head_that_only_pingora_sees_is_refused() {
        let (mut arrival, heads) = (Arrival::new(LIMITS), Heads::default());
        arrival.arrived(b"GET / HTTP/1.1\nHost: a\n\n", &heads);
        assert_eq!(heads.take(), Err(NO_HEAD));
    }
}
