//! The way back to the client: a backend's answer, or a page of our own.

use bytes::Bytes;
use pingora::http::{ResponseHeader, Version};
use pingora::proxy::{FailToProxy, Session};
use pingora::{Error, ErrorSource, ErrorType, Result};

use super::context::Context;
use super::fallback::Trouble;
use super::pages::{self, Note};
use super::trouble::is_answered;
use super::{Gateway, connection, headers};
use crate::decide::Reason;

impl Gateway {
    /// Fits a backend's answer to the client's connection.
    pub(super) fn dress_answer(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &Context,
    ) -> Result<()> {
        if response.version != Version::HTTP_11 {
            response.set_version(Version::HTTP_11);
        }
        if response.status.is_informational() {
            return Ok(());
        }
        if let (Some(date), Some(marks)) =
            (headers::date(response), connection::marks(session.as_downstream().stream()))
        {
            marks.keep_date(date);
        }
        if session.req_header().version == Version::HTTP_10 {
            // Such a client knows no chunks; the end of the connection is the end of the answer.
            if response.remove_header(&http::header::TRANSFER_ENCODING).is_some() {
                session.set_keepalive(None);
            }
        }
        if self.is_draining() {
            session.set_keepalive(None);
        }
        self.keep_side(session, response, ctx)?;
        self.reveal(response, ctx)
    }

    /// Says who answered, if the settings allow it; a tester who chose a side is told in any case.
    fn reveal(&self, response: &mut ResponseHeader, ctx: &Context) -> Result<()> {
        if !self.settings.listen.reveal && ctx.reason != Reason::Tester.word() {
            return Ok(());
        }
        let route = ctx.route.as_ref().map_or(crate::observe::NONE, |route| &route.name);
        let backend = ctx.attempt.backend.as_ref().map_or(crate::observe::NONE, |backend| backend.name());
        response.insert_header("X-Ficus-Route", route)?;
        response.insert_header("X-Ficus-Backend", backend)?;
        if let Some(routing) = &ctx.routing {
            response.insert_header("X-Ficus-Revision", routing.revision)?;
        }
        Ok(())
    }

    /// Answers with a page of our own and keeps the connection.
    pub(super) async fn answer_page(
        &self,
        session: &mut Session,
        status: u16,
        ctx: &mut Context,
    ) -> Result<()> {
        ctx.own_answer = true;
        let (mut head, body) = self.page(session, status, Note::None, ctx)?;
        self.reveal(&mut head, ctx)?;
        let body = if session.req_header().method == http::Method::HEAD { Bytes::new() } else { body };
        let empty = body.is_empty();
        session.write_response_header(Box::new(head), empty).await?;
        if !empty {
            session.write_response_body(Some(body), true).await?;
        }
        Ok(())
    }

    /// The last resort: an error is what the client gets, if it can still get anything.
    pub(super) async fn answer_failure(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Context,
    ) -> FailToProxy {
        let bad_body =
            connection::marks(session.as_downstream().stream()).is_some_and(connection::Marks::has_bad_body);
        let (status, note) = if bad_body { (400, Note::None) } else { verdict(error, ctx) };
        let failed = FailToProxy { error_code: status, can_reuse_downstream: false };
        if status == 0 {
            ctx.reason = "client_left";
            return failed;
        }
        if is_answered(session) {
            ctx.reason = "truncated";
            return failed;
        }
        ctx.reason = own_reason(error, ctx);
        ctx.own_answer = true;
        // A client that is gone by now is told nothing; there is nobody to tell it to.
        if let Ok((mut head, body)) = self.page(session, status, note, ctx) {
            let _ = self.reveal(&mut head, ctx);
            let body = if session.req_header().method == http::Method::HEAD { Bytes::new() } else { body };
            let _ = session.as_downstream_mut().write_error_response(head, body).await;
        }
        failed
    }

    fn page(
        &self,
        session: &Session,
        status: u16,
        note: Note,
        ctx: &Context,
    ) -> Result<(ResponseHeader, Bytes)> {
        let headers = &session.req_header().headers;
        pages::page(status, note, &ctx.trace.request_id, headers, ctx.retry_after)
    }
}

/// Status of the answer to an error, 0 if there is nobody left to answer to.
fn verdict(error: &Error, ctx: &Context) -> (u16, Note) {
    if let ErrorType::HTTPStatus(status) = error.etype() {
        return (*status, Note::None);
    }
    if let Some(trouble) = ctx.attempt.trouble {
        let note = match ctx.unrepeatable {
            Some(Trouble::Deferred) => Note::TooLargeToRepeat,
            Some(_) if !ctx.safe => Note::Unrepeatable,
            _ => Note::None,
        };
        return (trouble.status(), note);
    }
    let status = match (error.esource(), error.etype()) {
        (ErrorSource::Upstream, _) => 502,
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => 408,
        (
            ErrorSource::Downstream,
            ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::WriteTimedout
            | ErrorType::H2Error
            | ErrorType::ConnectionClosed,
        ) => 0,
        (ErrorSource::Downstream, _) => 400,
        _ => 500,
    };
    (status, Note::None)
}

/// Why Ficus answers by itself.
fn own_reason(error: &Error, ctx: &Context) -> &'static str {
    match (ctx.attempt.trouble, error.etype(), error.esource()) {
        (Some(trouble), ..) => trouble.word(),
        // The place that raised it has said why.
        (None, ErrorType::HTTPStatus(_), _) => ctx.reason,
        (None, ErrorType::ReadTimedout, ErrorSource::Downstream) => "slow_body",
        (None, _, ErrorSource::Downstream) => "bad_body",
        _ => "internal_error",
    }
}
