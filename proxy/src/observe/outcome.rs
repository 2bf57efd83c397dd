//! What became of one request, as the request path reports it.

use std::time::Duration;

use super::Guarded;

/// What became of one request. Nothing personal is in here: no identity, address, cookie, token or query.
#[derive(Debug, Clone)]
pub struct Outcome<'a> {
    /// Id of the request, the same in the logs of the backends.
    pub request_id: &'a str,
    /// W3C trace id.
    pub trace_id: &'a str,
    /// Whether the spans of that trace are kept.
    pub sampled: bool,
    /// Method as the client sent it.
    pub method: &'a str,
    /// Path as the client sent it, without the query.
    pub path: &'a str,
    /// The protocol the client speaks, such as `HTTP/1.1`.
    pub protocol: &'static str,
    /// Rule of the matched route: the path with placeholders for what is personal in it.
    pub rule: Option<&'a str>,
    /// Name of the matched route.
    pub route: Option<&'a str>,
    /// Name of the backend whose answer the client got; none when Ficus itself answered.
    pub backend: Option<&'a str>,
    /// Why that backend was chosen, or why Ficus answered itself.
    pub reason: &'a str,
    /// Revision of the routing table that was used.
    pub revision: u64,
    /// Why the fallback answered in place of the backend first chosen.
    pub fallback: Option<&'static str>,
    /// Why a request that failed was not given to the fallback: it must not be repeated.
    pub unrepeatable: Option<&'static str>,
    /// Why the body was not kept for the fallback.
    pub unkept: Option<&'static str>,
    /// Whether a session cookie of the application's came with it; never what was in it.
    pub session: bool,
    /// The user's bucket, if it was looked at.
    pub bucket: Option<u32>,
    /// What the watcher of a guarded route must know.
    pub guarded: Option<Guarded<'a>>,
    /// Status sent to the client; none when the client left before it got one.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub bytes: u64,
    /// From the end of the request's head to the end of the answer.
    pub total: Duration,
    /// From asking the backend that answered to the head of its answer.
    pub upstream: Option<Duration>,
}
