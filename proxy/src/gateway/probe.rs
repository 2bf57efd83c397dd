//! What the fuzz targets in `proxy/tests/fuzz` call: the parsers of this room, with what must hold whatever they get.
//!
//! On no path of a request.

use http::header::HeaderValue;
use pingora::http::{RequestHeader, ResponseHeader};

use super::client::Client;
use super::framing::{Fault, Follower};
use super::headers::{self, Forwarded};
use super::request_checks::HeadLimits;
use super::trace::{Ids, Trace};
use super::wire;

/// What comes of the bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Followed {
    /// Heads in order.
    pub heads: u64,
    /// Bytes in order.
    pub good: usize,
    /// Why the next byte is refused; empty: it is not.
    pub reason: &'static str,
}

/// Follows the bytes of a connection, in pieces of this size.
pub fn follow(bytes: &[u8], piece: usize, header_bytes: usize) -> Followed {
    let mut follower =
        Follower::new(HeadLimits { header_bytes, uri_bytes: header_bytes, raw_targets: false });
    let mut good = 0;
    for piece in bytes.chunks(piece.max(1)) {
        if let Err(Fault { good: more, rejection, .. }) = follower.follow(piece) {
            return Followed { heads: follower.heads(), good: good + more, reason: rejection.reason };
        }
        good += piece.len();
    }
    Followed { heads: follower.heads(), good, reason: "" }
}

/// What a backend is told in X-Forwarded-For and Forwarded, when a trusted proxy or a stranger has said this.
pub fn forwarded(said: &[u8], trusted: bool) -> Option<(Vec<u8>, Vec<u8>)> {
    let value = HeaderValue::from_bytes(said).ok()?;
    let mut request = RequestHeader::build("GET", b"/", None).ok()?;
    for name in
        ["Host", "X-Forwarded-For", "Forwarded", "X-Request-Id", "Traceparent", "Cookie", "Connection"]
    {
        request.append_header(name, value.clone()).ok()?;
    }
    let peer = "192.0.2.1".parse().ok()?;
    let client = Client { peer, trusted, address: peer, https: false };
    let trace = Ids::new().ok()?.trace(Some(said), Some(said), None);
    let Trace { request_id, parent, .. } = &trace;
    assert!(request_id.len() <= 128 && parent.len() == 55, "{request_id} {parent}");
    let forwarded = Forwarded { client: &client, trace: &trace, route: None, single_use: true };
    let lines = headers::to_backend(&mut request, &forwarded).ok()?;
    headers::insert(&mut request, lines).ok()?;
    let sent = |name: &str| request.headers.get(name).map(|value| value.as_bytes().to_vec());
    Some((sent("x-forwarded-for")?, sent("forwarded")?))
}

/// What goes on of an answer whose headers are lines of `NAME: VALUE`; `None`: it is refused.
pub fn answer(lines: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut response = ResponseHeader::build(200, None).ok()?;
    for line in lines.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (String::from_utf8(line[..at].to_vec()).ok()?, line[at + 1..].trim_ascii());
        response.append_header(name, HeaderValue::from_bytes(value).ok()?).ok()?;
    }
    headers::from_backend(&mut response).ok()?;
    let sent = response.headers.iter();
    Some(sent.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect())
}

/// Puts a date into bytes that may be a head.
pub fn date(head: &[u8]) -> Vec<u8> {
    let mut head = head.to_vec();
    if wire::is_final_head(&head) {
        wire::replace_date(&mut head, b"Sun, 06 Nov 1994 08:49:37 GMT");
    }
    head
}
