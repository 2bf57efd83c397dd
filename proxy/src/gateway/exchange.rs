//! Step 5 (forward) for requests that are complete: sent, and the answer handed on as it comes.
//!
//! pingora's proxy moves bytes in both directions at once: two loops, the channels between them, and a peer to connect to
//! for each request. Nothing goes in both directions at once when all of the request is there, which is so for nearly all of
//! them (`buffer`). HTTP is pingora's here, too, on both sides; so are the answers to every question that is asked on
//! the way (`forward`, `trouble`, `answer`). What streams or opens a tunnel goes through pingora's proxy.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

use super::context::Context;
use super::{Gateway, MOST_ATTEMPTS, headers};
use crate::upstream::Loan;

/// Whether a request can be sent by `exchange`: all of it is there, or in memory.
pub(super) fn is_complete(session: &mut Session, ctx: &Context) -> bool {
    !ctx.upgrade
        && !ctx.uploading
        && !session.as_downstream().retry_buffer_truncated()
        && session.req_header().headers.get_all(CONNECTION).iter().all(names_no_header)
}

/// Whether a Connection line only says what becomes of the connection.
fn names_no_header(value: &HeaderValue) -> bool {
    let mut words = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    words.all(|word| word.eq_ignore_ascii_case(b"keep-alive") || word.eq_ignore_ascii_case(b"close"))
}

impl Gateway {
    /// Asks one upstream after the other until the client has an answer.
    ///
    /// # Errors
    /// What the last one did, as [`Gateway::failed`] and [`Gateway::not_connected`] tell it.
    pub(super) async fn exchange(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        let body = session.as_downstream().get_retry_buffer();
        for _ in 1..MOST_ATTEMPTS {
            match self.attempt(session, ctx, body.clone()).await {
                Err(error) if error.retry() => {}
                done => return done,
            }
        }
        self.attempt(session, ctx, body).await
    }

    async fn attempt(&self, session: &mut Session, ctx: &mut Context, body: Option<Bytes>) -> Result<()> {
        self.pick_upstream(ctx).await?;
        let Some(loan) = ctx.attempt.loan.clone() else {
            return Err(Error::new_in(ErrorType::InternalError));
        };
        let mut upstream = match loan.open().await {
            Ok(upstream) => upstream,
            Err(error) => return Err(self.not_connected(session, ctx, error.into_up())),
        };
        self.connected(loan.is_reused(), ctx);
        match self.exchange_with(session, ctx, &mut upstream, body).await {
            Ok(true) => Loan::close(upstream).await,
            Ok(false) => {}
            Err(error) => {
                drop(upstream);
                return Err(self.failed(session, ctx, error, loan.is_reused()));
            }
        }
        Ok(())
    }

    /// Whether the connection may serve others after this.
    async fn exchange_with(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        upstream: &mut HttpSession,
        mut body: Option<Bytes>,
    ) -> Result<bool> {
        let mut request = request_of(session)?;
        self.dress_request(&mut request, ctx)?;
        upstream.write_request_header(Box::new(request)).await.map_err(|error| error.into_up())?;
        if body.is_some() {
            self.pass_body(session, &mut body, ctx)?;
        }
        // Whoever takes no more of a body may have answered already.
        let unsent = match body {
            Some(body) => send_body(upstream, &body).await.err(),
            None => None,
        };
        let was_sent = unsent.is_none();
        self.hand_on(session, ctx, upstream, unsent).await?;
        Ok(was_sent)
    }

    /// Hands the answer on, part by part; `unsent`: why the request was not sent to its end.
    async fn hand_on(
        &self,
        session: &mut Session,
        ctx: &mut Context,
        upstream: &mut HttpSession,
        mut unsent: Option<Box<Error>>,
    ) -> Result<()> {
        loop {
            let part = tokio::select! {
                biased;
                part = upstream.read_response_task() => part,
                gone = session.as_downstream_mut().read_body_or_idle(true), if ctx.may_be_left() => {
                    return Err(gone.err().unwrap_or_else(|| Error::new(ErrorType::ConnectionClosed)).into_down());
                }
            };
            let part = match part {
                Ok(part) => self.filter(session, ctx, part)?,
                Err(error) => HttpTask::Failed(unsent.take().unwrap_or(error).into_up()),
            };
            if session.write_response_tasks(vec![part]).await? {
                return Ok(());
            }
        }
    }

    /// What becomes of a part of the answer.
    fn filter(&self, session: &mut Session, ctx: &mut Context, mut part: HttpTask) -> Result<HttpTask> {
        match &mut part {
            HttpTask::Header(head, end) => {
                self.judge_answer(session, head, ctx)?;
                if !*end && lacks_framing(head, &session.req_header().method) {
                    head.set_version(Version::HTTP_11);
                    head.insert_header(TRANSFER_ENCODING, "chunked")?;
                }
                self.sample(head, ctx);
                self.dress_answer(session, head, ctx)?;
            }
            HttpTask::Body(bytes, end) => {
                self.answer_passes(*end, ctx)?;
                Self::capture_answer(bytes.as_ref(), *end, ctx);
            }
            _ => {}
        }
        Ok(part)
    }
}

async fn send_body(upstream: &mut HttpSession, body: &[u8]) -> Result<()> {
    upstream.write_body(body).await?;
    upstream.finish_body().await.map(|_| ())
}

/// The client's request without what ends here (RFC 9110, 7.6.1), as HTTP/1.1.
fn request_of(session: &Session) -> Result<RequestHeader> {
    let mut request = session.req_header().clone();
    request.set_version(Version::HTTP_11);
    if let Some(host) = request.uri.authority().map(|authority| authority.as_str().to_owned()) {
        request.insert_header(HOST, host)?;
    }
    headers::remove_hop_by_hop(&mut request);
    Ok(request)
}

/// Whether the end of the connection would be the end of the answer, although the client's connection goes on.
fn lacks_framing(head: &ResponseHeader, method: &Method) -> bool {
    let has_no_body = *method == Method::HEAD
        || head.status.is_informational()
        || matches!(head.status.as_u16(), 204 | 304);
    !has_no_body
        && !head.headers.contains_key(TRANSFER_ENCODING)
        && !head.headers.contains_key(CONTENT_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_becomes_of_the_connection_may_be_said() {
        for (value, expected) in [
            ("close", true),
            ("Keep-Alive", true),
            ("keep-alive , close", true),
            ("", false),
            ("close, X-Secret", false),
            ("upgrade", false),
        ] {
            assert_eq!(names_no_header(&HeaderValue::from_static(value)), expected, "{value:?}");
        }
    }
}
