//! Asks the other side. What it answers goes to nobody but the comparison.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::compare::Answer;
use super::job::Copied;
use super::self_test::Probe;
use crate::upstream::Backend;

/// The mark of a copy. Clients cannot set it: the gateway removes every header of ours from what they send.
pub const MARK: &str = "x-ficus-shadow";

/// Who is asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum To<'a> {
    /// A backend.
    Backend(&'a Backend),
    /// Whoever stands in for it while comparing is tested.
    Probe(&'a Probe),
}

/// Asks; `None` if there is no answer in time. With the answer comes how long it took to begin. `bounds`: the largest body
/// that is kept, and how long all of it may take.
pub(super) async fn ask(
    to: To<'_>,
    request: &Copied,
    (limit, patience): (usize, Duration),
) -> Option<(Answer, Duration)> {
    match timeout(patience, exchange(to, request, limit)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            let backend = if let To::Backend(backend) = to { backend.name() } else { "self-test" };
            tracing::debug!(backend, %error, "no answer to a copy");
            None
        }
        Err(_) => None,
    }
}

async fn exchange(to: To<'_>, copied: &Copied, limit: usize) -> anyhow::Result<(Answer, Duration)> {
    let stream = match to {
        To::Backend(backend) => backend.dial().await?,
        To::Probe(probe) => probe.dial(),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Full::new(copied.body.clone()));
    *request.method_mut() = copied.method.clone();
    *request.uri_mut() = http::Uri::from(copied.target.clone());
    request.headers_mut().clone_from(&copied.headers);
    request.headers_mut().insert(MARK, HeaderValue::from_static("1"));
    request.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    let began = Instant::now();
    let response = sender.send_request(request).await;
    let waited = began.elapsed();
    let answer = match response {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let collected = Limited::new(body, limit).collect().await;
            let (body, complete) = match collected {
                Ok(body) => (body.to_bytes(), true),
                Err(_) => (Bytes::new(), false),
            };
            Ok((Answer { status: head.status.as_u16(), headers: head.headers, body, complete }, waited))
        }
        Err(error) => Err(error.into()),
    };
    connection.abort();
    answer
}
