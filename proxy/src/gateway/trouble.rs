//! Step 6: recognizes that a backend fails, asks the policy in `fallback`, and does what it says.

use pingora::http::ResponseHeader;
use pingora::proxy::Session;
use pingora::{Error, ErrorSource, ErrorType, Result};

use super::Gateway;
use super::context::Context;
use super::fallback::{self, Next, Progress, Trouble};
use super::headers;

/// Raised for an answer that the client does not get.
const UNUSABLE: ErrorType = ErrorType::new("UnusableAnswer");

impl Gateway {
    /// Looks at the head of a backend's answer. An error means that somebody else shall answer.
    pub(super) fn judge_answer(
        &self,
        session: &Session,
        response: &mut ResponseHeader,
        ctx: &mut Context,
    ) -> Result<()> {
        let informational = response.status.is_informational();
        if !informational && ctx.attempt.waited.is_none() {
            ctx.attempt.waited = ctx.attempt.started.map(|started| started.elapsed());
            ctx.trace.attempt_answered(response.status.as_u16());
        }
        // Without a fallback every answer is better than none; and a failure that may not be repeated is passed on.
        let trouble = match () {
            () if ctx.fallback.is_none() => None,
            () if headers::defers(response) => Some(Trouble::Deferred),
            () if response.status.is_server_error() && ctx.safe && is_replayable(session) => {
                Some(Trouble::Status)
            }
            () => None,
        };
        if trouble.is_some() {
            ctx.attempt.trouble = trouble;
            return Err(Error::new_up(UNUSABLE));
        }
        let unasked_tunnel = response.status == 101 && !ctx.upgrade;
        let checked =
            if unasked_tunnel { Err(Error::new_up(UNUSABLE)) } else { headers::from_backend(response) };
        checked.inspect_err(|_| ctx.attempt.trouble = Some(Trouble::Garbage))
    }

    /// Nothing was sent: another upstream may be tried, or the fallback, whatever the method.
    pub(super) fn not_connected(
        &self,
        session: &Session,
        ctx: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let timed_out = matches!(error.etype(), ErrorType::ConnectTimedout);
        let attempt = &mut ctx.attempt;
        if let Some(backend) = &attempt.backend {
            let cause = if timed_out { "no answer".to_owned() } else { error.root_cause().to_string() };
            backend.unreachable(attempt.upstream, &cause);
        }
        attempt.tried.insert(attempt.upstream);
        let trouble = if timed_out { Trouble::Timeout } else { Trouble::Unreachable };
        attempt.trouble = Some(trouble);
        ctx.trace.attempt_failed(trouble);
        error.set_retry(is_replayable(session));
        error
    }

    /// Something was sent.
    pub(super) fn failed(
        &self,
        session: &Session,
        ctx: &mut Context,
        mut error: Box<Error>,
        reused: bool,
    ) -> Box<Error> {
        error.set_retry(false);
        let Some(trouble) = ctx.attempt.trouble.or_else(|| trouble_of(&error)) else { return error };
        ctx.attempt.trouble = Some(trouble);
        ctx.trace.attempt_failed(trouble);
        let progress = Progress {
            safe: ctx.safe,
            answered: is_answered(session),
            replayable: is_replayable(session),
            fallback: ctx.fallback.is_some(),
            stale: reused && !ctx.attempt.repeated,
        };
        match fallback::next(trouble, progress) {
            Next::Fallback => {
                ctx.fall_back(trouble);
                error.set_retry(true);
            }
            Next::Again => {
                ctx.attempt.repeated = true;
                error.set_retry(true);
            }
            Next::Unrepeatable => ctx.unrepeatable = Some(trouble),
            Next::Fail => {}
        }
        error
    }
}

/// Whether everything that was read of the request's body could be sent again.
fn is_replayable(session: &Session) -> bool {
    !session.as_downstream().retry_buffer_truncated()
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
