//! What is known about one request, from its first byte to its outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::Kept;
use super::client::Client;
use super::fallback::Trouble;
use super::memory::Room;
use super::trace::Trace;
use crate::observe::{Awaited, Ongoing};
use crate::route::{Route, Routing};
use crate::shadow::{Capture, Rehearsal};
use crate::upstream::{Backend, InFlight, Loan, Patience, Serving, Terms, Tried};

/// One request. Everything that a flip could change was loaded once and stays until the request is over.
#[derive(Debug)]
pub struct Context {
    pub(super) started: Instant,
    /// Counts the request as in progress while it is.
    _in_progress: Ongoing,
    pub(super) client: Client,
    pub(super) trace: Trace,
    pub(super) routing: Option<Arc<Routing>>,
    pub(super) route: Option<Arc<Route>>,
    /// Why the backend was chosen, or why Ficus answers by itself.
    pub(super) reason: &'static str,
    pub(super) bucket: Option<u32>,
    /// The id of a browser that becomes a visitor with this answer.
    pub(super) new_visitor: Option<String>,
    /// The method promises to change nothing.
    pub(super) safe: bool,
    /// The method is not safe, but head and body are so small that they can be sent at once.
    pub(super) small: bool,
    /// The client wants a tunnel.
    pub(super) upgrade: bool,
    /// The client speaks HTTP/2.
    pub(super) http2: bool,
    /// The candidate was asked first, not the fallback.
    pub(super) candidate: bool,
    /// Its guard was told that it hangs.
    pub(super) hung: bool,
    pub(super) attempt: Attempt,
    /// Who answers if the backend that is being asked cannot.
    pub(super) fallback: Option<Arc<Backend>>,
    /// Why the fallback was asked.
    pub(super) fell_back: Option<Trouble>,
    /// Why the fallback was not asked, although it was there.
    pub(super) unrepeatable: Option<Trouble>,
    /// Bytes of the request's body in this attempt.
    pub(super) received: u64,
    /// The body is still under way.
    pub(super) uploading: bool,
    /// The memory of a body that was awaited.
    pub(super) buffered: Option<Room>,
    /// A body that pingora would not keep.
    pub(super) kept: Option<Kept>,
    /// The length of a body that this attempt's connection sends by itself.
    pub(super) replayed: Option<usize>,
    /// Why a body that the fallback might have needed is not kept.
    pub(super) unkept: Option<&'static str>,
    /// When it makes sense to ask again, in seconds.
    pub(super) retry_after: Option<u64>,
    /// The answer is a page of our own.
    pub(super) own_answer: bool,
    /// What is kept for the other side; absent on routes without shadow.
    pub(super) capture: Option<Box<Capture>>,
    /// What is kept for a recording; absent where nothing is recorded.
    pub(super) tape: Option<Box<Capture>>,
    /// A dry run of the request that was answered.
    pub(super) rehearsal: Option<Box<Rehearsal>>,
    /// How long the request waited for its body and for its dry run; no limit of its own counts that.
    pub(super) held: Duration,
    /// The fallback says that it has captured its rows.
    pub(super) captured: bool,
}

/// The backend that is being asked.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub(super) backend: Option<Arc<Backend>>,
    /// The place on that backend, once it is taken.
    pub(super) place: Option<InFlight>,
    pub(super) tried: Tried,
    /// Which upstream of the backend.
    pub(super) serving: Option<Serving>,
    /// The connection to it, unless it is one of a special kind.
    pub(super) loan: Option<Arc<Loan>>,
    /// When the backend was first tried.
    pub(super) began: Option<Instant>,
    /// When the upstream was.
    pub(super) started: Option<Instant>,
    /// From `started` to the head of the answer.
    pub(super) waited: Option<Duration>,
    /// What went wrong, as far as it is known before pingora reports an error.
    pub(super) trouble: Option<Trouble>,
    /// The candidate of a guarded route has not answered yet.
    pub(super) awaited: Option<Awaited>,
    /// A dead connection was already replaced by a fresh one.
    pub(super) repeated: bool,
    /// How often the backend broke off and shall be asked again.
    pub(super) breaks: u32,
    /// It has just done so.
    pub(super) broke: bool,
    /// Answers before the answer (1xx) so far.
    pub(super) interim: u32,
}

impl Context {
    pub(super) fn new(in_progress: Ongoing) -> Self {
        Self {
            started: Instant::now(),
            _in_progress: in_progress,
            client: Client::default(),
            trace: Trace::default(),
            routing: None,
            route: None,
            reason: "unread",
            bucket: None,
            new_visitor: None,
            safe: false,
            small: false,
            upgrade: false,
            http2: false,
            candidate: false,
            hung: false,
            attempt: Attempt::default(),
            fallback: None,
            fell_back: None,
            unrepeatable: None,
            received: 0,
            uploading: false,
            buffered: None,
            kept: None,
            replayed: None,
            unkept: None,
            retry_after: None,
            own_answer: false,
            capture: None,
            tape: None,
            rehearsal: None,
            held: Duration::ZERO,
            captured: false,
        }
    }

    /// All of the body has come.
    pub(super) fn body_is_there(&mut self) {
        self.uploading = false;
        if let Some(place) = &mut self.attempt.place {
            place.body_is_there();
        }
    }

    /// Whether the request ends when the client leaves. Over HTTP/1, pingora knows by itself what must be finished.
    pub(super) fn may_be_left(&self) -> bool {
        self.safe || !self.http2
    }

    /// Gives the request to the fallback, which there must be.
    pub(super) fn fall_back(&mut self, trouble: Trouble) {
        self.fell_back = Some(trouble);
        self.no_longer_awaited();
        self.attempt = Attempt { backend: self.fallback.take(), ..Attempt::default() };
    }

    /// How long the request has taken, without what it was held for.
    pub(super) fn spent(&self) -> Duration {
        self.started.elapsed().saturating_sub(self.held)
    }

    /// The candidate has answered, or is not waited for any more.
    pub(super) fn no_longer_awaited(&mut self) {
        if let Some(awaited) = self.attempt.awaited.take() {
            self.hung |= awaited.was_told();
        }
    }

    /// Requests that must not be repeated get a connection of their own, unless it can be known there whether they were
    /// read, or the settings allow them to share: see `upstream`. So does one that has already met a dead connection
    /// that had rested, because there may be more of them.
    ///
    /// `body`: how long an HTTP/2 client may take for the next bytes of its body; over HTTP/1, pingora looks.
    pub(super) fn terms(&self, patience: Patience, body: Duration) -> Terms {
        let fresh = self.upgrade || self.attempt.repeated || self.attempt.breaks > 0;
        Terms {
            repeatable: self.safe,
            fresh,
            small: self.small,
            finished: self.http2 && !self.safe,
            patience,
            body: (self.http2 && self.uploading).then_some(body),
        }
    }

    /// Whether the connection of this attempt serves no other request.
    pub(super) fn single_use(&self) -> bool {
        self.attempt.loan.as_ref().is_none_or(|loan| loan.is_single_use())
    }

    /// Whether it is certain that nobody has read the request on the connection of this attempt.
    pub(super) fn is_unread(&self) -> bool {
        self.attempt.loan.as_ref().is_some_and(|loan| loan.is_unread())
    }

    /// Whether the connection of this attempt has served others before.
    pub(super) fn is_reused(&self) -> bool {
        self.attempt.loan.as_ref().is_some_and(|loan| loan.is_reused())
    }

    /// The route's name, for the backend that is being tried for it.
    pub(super) fn route_for_candidate(&self) -> Option<&str> {
        let route = self.route.as_ref()?;
        let backend = self.attempt.backend.as_ref()?;
        (backend.name() != route.fallback).then_some(route.name.as_str())
    }
}
