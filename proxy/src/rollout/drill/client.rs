//! The test identity of a rehearsal: asks Ficus itself, over its own listener, as a browser would that keeps cookies.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::journey::Line;
use crate::shadow::compare::Answer;

/// Longest answer.
const MOST: usize = 4 * 1024 * 1024;
/// Longest wait for one.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    pub(super) headers: HeaderMap,
    pub(super) cookies: BTreeMap<String, String>,
}

/// An answer, and who gave it, if Ficus says so.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) by: Option<String>,
}

impl Client {
    /// Asks with a tester's token. What fails is an error of the rehearsal.
    pub(super) async fn ask(&self, token: &str, line: &Line) -> anyhow::Result<Answered> {
        timeout(PATIENCE, self.exchange(token, line)).await.context("no answer in time")?
    }

    async fn exchange(&self, token: &str, line: &Line) -> anyhow::Result<Answered> {
        let stream = TcpStream::connect(self.address).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let body = Bytes::from(line.body.clone().unwrap_or_default());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = line.method.clone();
        *request.uri_mut() = line.path.parse().context("the path is none")?;
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.insert(HOST, HeaderValue::from_str(&self.host)?);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        headers.insert("x-ficus-tester", HeaderValue::from_str(token)?);
        if line.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(line.content_type()));
        }
        if !self.cookies.is_empty() {
            headers.insert(COOKIE, HeaderValue::from_str(&self.cookie_header())?);
        }
        let response = sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let (body, complete) = match Limited::new(body, MOST).collect().await {
            Ok(body) => (body.to_bytes(), true),
            Err(_) => (Bytes::new(), false),
        };
        connection.abort();
        let mut headers = head.headers;
        let by = headers.get("x-ficus-backend").and_then(|by| by.to_str().ok()).map(str::to_owned);
        for name in ["x-ficus-backend", "x-ficus-route", "x-ficus-revision"] {
            headers.remove(name);
        }
        Ok(Answered { answer: Answer { status: head.status.as_u16(), headers, body, complete }, by })
    }

    pub(super) fn cookie_header(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    /// Keeps what an answer sets.
    pub(super) fn keep_cookies(&mut self, answer: &Answer) {
        for cookie in answer.headers.get_all(SET_COOKIE) {
            let Ok(cookie) = cookie.to_str() else { continue };
            let pair = cookie.split(';').next().unwrap_or_default();
            let Some((name, value)) = pair.trim().split_once('=') else { continue };
            let gone = cookie.to_ascii_lowercase().contains("max-age=0") || value.is_empty();
            if gone {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Takes the cookies of a `Cookie` header of the journey into the jar, where answers can change them.
    pub(super) fn unpack_cookies(&mut self) {
        let Some(header) = self.headers.remove(COOKIE) else { return };
        for pair in header.to_str().unwrap_or_default().split(';') {
            if let Some((name, value)) = pair.trim().split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
