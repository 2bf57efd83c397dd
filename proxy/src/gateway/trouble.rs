//! Step 6: recognizes that a backend fails, asks the policy in `fallback`, and does what it says.

use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType, Result};

use super::Gateway;
use super::context::Context;
use super::fallback::{self, Next, Progress, Trouble};
use super::headers;
use crate::upstream::{InFlight, cause_of, is_our_shortage};

/// Raised for an answer that the client does not get.
const UNUSABLE: ErrorType = ErrorType::new("UnusableAnswer");

/// So often a request is sent again because the connection broke. After the first time only if nobody is left at the
/// other end: a process that is still there after two breaks would break again.
const MOST_BREAKS: u32 = 3;

/// Answers before the answer (1xx) that one request may have.
const MOST_INTERIM: u32 = 100;

impl Gateway {
    /// Looks at the head of a backend's answer. An error means that somebody else shall answer.
    pub(super) fn judge_answer(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        if !response.status.is_informational() {
            ctx.no_longer_awaited();
            if ctx.attempt.waited.is_none() {
                ctx.attempt.waited = ctx.attempt.started.map(|started| started.elapsed());
                ctx.trace.attempt_answered(response.status.as_u16());
            }
            self.note_answer(response, ctx);
            Self::note_capture(response, ctx);
        }
        // Without a fallback every answer is better than none; and a failure that may not be repeated is passed on.
        let trouble = match () {
            () if ctx.fallback.is_none() => None,
            () if headers::defers(response) => Some(Trouble::Deferred),
            () if response.status.is_server_error() && ctx.safe && is_replayable(session, ctx) => {
                Some(Trouble::Status)
            }
            () => None,
        };
        if trouble.is_some() {
            ctx.attempt.trouble = trouble;
            return Err(Error::new_up(UNUSABLE));
        }
        let unasked_tunnel = response.status == 101 && !(ctx.upgrade && headers::opens_websocket(response));
        ctx.attempt.interim += u32::from(response.status.is_informational());
        let checked = if unasked_tunnel || ctx.attempt.interim > MOST_INTERIM {
            Err(Error::new_up(UNUSABLE))
        } else {
            headers::from_backend(response)
        };
        checked.inspect_err(|_| ctx.attempt.trouble = Some(Trouble::Garbage))
    }

    /// An upstream that answers 5xx again and again is worth avoiding; one that hands a request back is not.
    fn note_answer(&self, response: &ResponseHeader, ctx: &Context) {
        let (Some(backend), Some(serving)) = (&ctx.attempt.backend, &ctx.attempt.serving) else { return };
        if !response.status.is_server_error() {
            backend.succeeded(serving.upstream());
        } else if !headers::defers(response) {
            backend.failed(serving.upstream(), Trouble::Status.word());
        }
    }

    /// Nothing was sent: another upstream may be tried, or the fallback, whatever the method.
    pub(super) fn not_connected(
        &self,
        session: &Session,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        if is_our_shortage(&error) {
            ctx.attempt.trouble = Some(Trouble::Busy);
            error.set_retry(is_replayable(session, ctx));
            return error;
        }
        let timed_out = matches!(error.etype(), ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout);
        let attempt = &mut ctx.attempt;
        if let (Some(backend), Some(serving)) = (&attempt.backend, &attempt.serving) {
            backend.unreachable(serving.upstream(), &cause_of(&error));
            attempt.tried.insert(serving.upstream());
        }
        let trouble = if timed_out { Trouble::Timeout } else { Trouble::Unreachable };
        attempt.trouble = Some(trouble);
        ctx.trace.attempt_failed(trouble);
        error.set_retry(is_replayable(session, ctx));
        error
    }

    /// Something was sent.
    pub(super) fn failed(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        mut error: Box<Error>,
        reused: bool,
    ) -> Box<Error> {
        error.set_retry(false);
        let is_slow = ctx.attempt.loan.as_ref().is_some_and(|loan| loan.is_slow());
        if is_slow || is_clients_silence(session, &error, ctx) {
            self.observer.rejected("slow_body");
            ctx.reason = "slow_body";
            return Error::explain(ErrorType::HTTPStatus(408), "slow_body");
        }
        if ctx.attempt.loan.as_ref().is_some_and(|loan| loan.has_refused()) {
            ctx.attempt.trouble = Some(Trouble::Garbage);
        }
        let Some(trouble) = ctx.attempt.trouble.or_else(|| trouble_of(&error)) else { return error };
        ctx.attempt.trouble = Some(trouble);
        ctx.trace.attempt_failed(trouble);
        if let Some(loan) = &ctx.attempt.loan {
            loan.give_up();
        }
        let (dead, unread) = (reused && !ctx.attempt.repeated, ctx.is_unread());
        let stale = dead && trouble == Trouble::Broken && (ctx.safe || unread);
        if !stale {
            self.note_failure(trouble, ctx);
        }
        let progress = Progress {
            safe: ctx.safe,
            answered: is_answered(session),
            replayable: is_replayable(session, ctx),
            fallback: ctx.fallback.is_some(),
            stale: dead,
            unread,
            again: ctx.attempt.breaks < MOST_BREAKS,
        };
        match fallback::next(trouble, progress) {
            Next::Fallback => {
                ctx.fall_back(trouble);
                error.set_retry(true);
            }
            Next::Again if stale => {
                ctx.attempt.repeated = true;
                error.set_retry(true);
            }
            Next::Again => error.set_retry(self.ask_again(ctx)),
            Next::Unrepeatable => ctx.unrepeatable = Some(trouble),
            Next::Fail => {}
        }
        error
    }
}

impl Gateway {
    /// Counts what an upstream did to a request.
    fn note_failure(&self, trouble: Trouble, ctx: &Context) {
        self.note_trouble(trouble, ctx);
        let (Some(backend), Some(serving)) = (&ctx.attempt.backend, &ctx.attempt.serving) else { return };
        // The head of an answer was already looked at.
        if matches!(trouble, Trouble::Broken | Trouble::Timeout | Trouble::Garbage) {
            backend.failed(serving.upstream(), trouble.word());
        }
    }

    /// Prepares a second attempt at the same backend; false if too many others are there for the second time.
    fn ask_again(&self, ctx: &mut Context) -> bool {
        let attempt = &mut ctx.attempt;
        let Some(backend) = &attempt.backend else { return false };
        if !attempt.place.as_mut().is_some_and(InFlight::repeat) {
            self.observer.trouble(backend.name(), "repeats");
            return false;
        }
        attempt.breaks += 1;
        attempt.broke = true;
        // Its work until now was no waiting: the time to connect begins anew.
        attempt.began = None;
        if let Some(serving) = attempt.serving.as_ref().filter(|_| backend.has_several()) {
            attempt.tried.insert(serving.upstream());
        }
        true
    }
}

/// Whether a backend was silent because it was still waiting for the client's body. A backend that does not take what
/// is there is another matter: then writing takes too long.
fn is_clients_silence(session: &mut Session, error: &Error, ctx: &Context) -> bool {
    *error.etype() == ErrorType::ReadTimedout
        && *error.esource() == ErrorSource::Upstream
        && !ctx.upgrade
        && !is_answered(session)
        && !session.as_downstream_mut().is_body_done()
}

/// Whether everything that was read of the request's body could be sent again.
fn is_replayable(session: &Session, ctx: &Context) -> bool {
    ctx.kept.is_some() || !session.as_downstream().retry_buffer_truncated()
}

/// Whether the client has got the head of a final answer.
pub(super) fn is_answered(session: &Session) -> bool {
    session.response_written().is_some_and(|head| !head.status.is_informational() || head.status == 101)
}

/// What an error says about the backend; `None`: it is not the backend's.
fn trouble_of(error: &Error) -> Option<Trouble> {
    if *error.esource() != ErrorSource::Upstream {
        return None;
    }
    Some(match error.etype() {
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Trouble::Timeout,
        ErrorType::InvalidHTTPHeader => Trouble::Garbage,
        _ => Trouble::Broken,
    })
}
