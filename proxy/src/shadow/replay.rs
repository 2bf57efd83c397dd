//! Asks the other side. What it answers goes to nobody but the comparison.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::compare::Answer;
use super::job::Job;
use crate::upstream::Backend;

/// The mark of a copy. Clients cannot set it: the gateway removes every header of ours from what they send.
pub const MARK: &str = "x-ficus-shadow";

/// What only candidates are told.
const ROUTE: &str = "x-ficus-route";

/// Asks one of both sides; `None` if there is no answer in time.
pub(super) async fn ask((job, target): (&Job, &Backend), limit: usize, patience: Duration) -> Option<Answer> {
    match timeout(patience, exchange((job, target), limit)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::debug!(route = job.route(), backend = target.name(), %error, "no answer to a copy");
            None
        }
        Err(_) => None,
    }
}

async fn exchange((job, target): (&Job, &Backend), limit: usize) -> anyhow::Result<Answer> {
    let stream = target.dial().await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::new(Full::new(job.request.body.clone()));
    *request.method_mut() = job.request.method.clone();
    *request.uri_mut() = http::Uri::from(job.request.target.clone());
    request.headers_mut().clone_from(&job.request.headers);
    if target.name() == job.served.route.fallback {
        request.headers_mut().remove(ROUTE);
    } else {
        request.headers_mut().insert(ROUTE, HeaderValue::from_str(job.route())?);
    }
    request.headers_mut().insert(MARK, HeaderValue::from_static("1"));
    request.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    let response = sender.send_request(request).await;
    let answer = match response {
        Ok(response) => {
            let (head, body) = response.into_parts();
            let collected = Limited::new(body, limit).collect().await;
            let (body, complete) = match collected {
                Ok(body) => (body.to_bytes(), true),
                Err(_) => (Bytes::new(), false),
            };
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, complete })
        }
        Err(error) => Err(error.into()),
    };
    connection.abort();
    answer
}
