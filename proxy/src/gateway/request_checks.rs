//! What a request's head must be before anything else looks at it.
//!
//! Step 1 of a request (accept). Works on the bytes as they came, because pingora repairs some faults before any
//! of its hooks: a proxy and an origin that repair differently can be played against each other. What the grammar of
//! HTTP/1 does not allow goes no further. Where the body ends is followed in `framing`. Pure.

use crate::settings::Limits;
use crate::upstream::{alphanumeric_and, is_token};

/// A request that goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejection {
    /// What the client gets.
    pub(super) status: u16,
    /// Why, as a stable word for metrics and logs.
    pub(super) reason: &'static str,
}

/// How large a head may be, and how foreign its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    /// Request line and headers together.
    pub header_bytes: usize,
    /// The target alone.
    pub uri_bytes: usize,
    /// The target may have bytes beyond ASCII.
    pub raw_targets: bool,
}

impl HeadLimits {
    /// The limits of the settings.
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            header_bytes: limits.header_bytes,
            uri_bytes: limits.uri_bytes,
            raw_targets: limits.raw_targets,
        }
    }
}

/// What follows a head on the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes, or none.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Whatever the other end and the backend agree on, if it agrees to the upgrade.
    Upgrade,
}

/// Headers that a request may have; pingora takes no more.
const MOST_HEADERS: u32 = 256;
/// Longest Content-Length, in digits: it fits in 63 bits.
const LONGEST_LENGTH: usize = 18;

const fn reject<T>(status: u16, reason: &'static str) -> Result<T, Rejection> {
    Err(Rejection { status, reason })
}

/// Headers that decide where a request ends and whom it is for.
#[derive(Default)]
struct Seen {
    headers: u32,
    hosts: u32,
    lengths: u32,
    codings: u32,
    length: u64,
    upgrade: bool,
}

/// The lines of a head, without their ends; nothing for one that does not end as it should.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Option<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).map_or(self.0.len(), |at| at + 1);
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line.strip_suffix(b"\r\n"))
    }
}

/// Whether one of the bytes is a control byte that no field value may have. Looks at all of them, because that is
/// faster than to stop at the first.
pub(super) fn has_controls(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f))
}

/// Checks the head of an HTTP/1 request, from the request line to the empty line; what follows it.
pub(super) fn http1(head: &[u8], limits: HeadLimits) -> Result<Body, Rejection> {
    if head.len() > limits.header_bytes {
        return reject(431, "head_too_large");
    }
    let mut lines = Lines(head);
    let Some(Some(request_line)) = lines.next() else { return reject(400, "bad_line_end") };
    let is_http11 = self::request_line(request_line, limits)?;
    let mut seen = Seen::default();
    for line in lines {
        match line {
            None => return reject(400, "bad_line_end"),
            Some(b"") => break,
            Some(line) => header(line, &mut seen)?,
        }
    }
    match seen {
        Seen { headers, .. } if headers > MOST_HEADERS => reject(431, "head_too_large"),
        Seen { hosts: 0, .. } if is_http11 => reject(400, "no_host"),
        Seen { hosts: 2.., .. } => reject(400, "bad_host"),
        Seen { lengths: 1.., codings: 1.., .. } => reject(400, "length_and_coding"),
        Seen { lengths: 2.., .. } => reject(400, "bad_length"),
        Seen { codings: 2.., .. } => reject(400, "bad_coding"),
        Seen { codings: 1, .. } if !is_http11 => reject(400, "bad_coding"),
        Seen { codings: 1, upgrade: true, .. } => reject(400, "upgrade_with_body"),
        Seen { codings: 1, .. } => Ok(Body::Chunked),
        Seen { length: 1.., upgrade: true, .. } if is_http11 => reject(400, "upgrade_with_body"),
        Seen { upgrade: true, .. } if is_http11 => Ok(Body::Upgrade),
        Seen { length, .. } => Ok(Body::Length(length)),
    }
}

/// What a client gets whose head has not ended where it must; this much of it has come.
pub(super) fn too_large(head: &[u8], limits: HeadLimits) -> Rejection {
    let in_request_line = !head.contains(&b'\n');
    let (status, reason) = match head.iter().position(|byte| *byte == b' ') {
        // No method is so long.
        None if in_request_line => (400, "bad_request_line"),
        Some(at) if in_request_line && head.len() - at - 1 > limits.uri_bytes => (414, "target_too_long"),
        _ => (431, "head_too_large"),
    };
    Rejection { status, reason }
}

/// Checks the value of an HTTP/2 header: it neither begins nor ends with a blank (RFC 9113, 8.2.1).
pub(super) fn http2_value(value: &[u8]) -> Result<(), Rejection> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    if is_blank(value.first()) || is_blank(value.last()) { reject(400, "bad_header") } else { Ok(()) }
}

/// As many headers, and as many lengths among them, as HTTP/1 may have: the request becomes one.
pub(super) fn http2_counts(headers: usize, lengths: usize) -> Result<(), Rejection> {
    match (headers, lengths) {
        (_, 2..) => reject(400, "bad_length"),
        (headers, _) if headers > MOST_HEADERS as usize => reject(431, "head_too_large"),
        _ => Ok(()),
    }
}

/// Checks an HTTP/2 request, whose framing leaves less to get wrong.
pub(super) fn http2(
    authority: &[u8],
    (method, target): (&[u8], &[u8]),
    head_bytes: usize,
    limits: HeadLimits,
) -> Result<(), Rejection> {
    if head_bytes > limits.header_bytes {
        return reject(431, "head_too_large");
    }
    if target.len() > limits.uri_bytes {
        return reject(414, "target_too_long");
    }
    if is_reserved(target) {
        return reject(404, "reserved_path");
    }
    let is_path = target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS");
    if !is_path || has_foreign(target, limits) {
        return reject(400, "bad_target");
    }
    host(authority)
}

/// Whether this path is the shim's or the handlers' own. What they answer there (health, sessions, users, what they are) is
/// for this machine alone, and never asked through the proxy; they refuse it as well. Escapes are resolved, as Flask's
/// server resolves them.
fn is_reserved(target: &[u8]) -> bool {
    let target = absolute(target).map_or(target, |(_, path)| path);
    // Most paths begin otherwise: neither with what is reserved, nor with an escape of it.
    let begins = target.iter().position(|byte| *byte != b'/').map(|at| target[at]);
    if !matches!(begins, Some(b'_' | b'%')) {
        return false;
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let decoded: Vec<u8> = percent_encoding::percent_decode(path).collect();
    let slashes = decoded.iter().take_while(|byte| **byte == b'/').count();
    let rest = &decoded[slashes..];
    let own = rest.strip_prefix(b"_shim").or_else(|| rest.strip_prefix(b"_ficus"));
    slashes > 0 && own.is_some_and(|after| after.is_empty() || after[0] == b'/')
}

/// Three words and single spaces between them; whether it is HTTP/1.1.
fn request_line(line: &[u8], limits: HeadLimits) -> Result<bool, Rejection> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return reject(400, "bad_request_line");
    };
    let is_http11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => return reject(505, "bad_version"),
        _ => return reject(400, "bad_request_line"),
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return reject(400, "bad_request_line");
    }
    if method == b"CONNECT" {
        return reject(405, "connect");
    }
    self::target(method, target, limits)?;
    Ok(is_http11)
}

fn target(method: &[u8], target: &[u8], limits: HeadLimits) -> Result<(), Rejection> {
    if target.len() > limits.uri_bytes {
        return reject(414, "target_too_long");
    }
    let is_path = target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS");
    let absolute = absolute(target);
    if !(is_path || absolute.is_some()) || has_foreign(target, limits) {
        return reject(400, "bad_target");
    }
    if let Some((authority, _)) = absolute {
        host(authority)?;
    }
    if is_reserved(target) { reject(404, "reserved_path") } else { Ok(()) }
}

/// Whether a byte of the target is not allowed there. Other characters that no target should have (`{`, `|`, `^`) are sent by
/// browsers and taken by Flask.
fn has_foreign(target: &[u8], limits: HeadLimits) -> bool {
    let last = if limits.raw_targets { 0xff } else { b'~' };
    let is_foreign = |byte: u8| {
        (byte < b' ')
            | (byte == 0x7f)
            | (byte > last)
            | (byte == b'#')
            | (byte == b'"')
            | (byte == b'<')
            | (byte == b'>')
    };
    target.iter().fold(false, |found, byte| found | is_foreign(*byte))
}

/// Host, and path with query, of an absolute-form target such as `http://host/path`.
pub(super) fn absolute(target: &[u8]) -> Option<(&[u8], &[u8])> {
    if target.starts_with(b"/") {
        return None;
    }
    let starts = |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme));
    let rest =
        [&b"http://"[..], &b"https://"[..]].into_iter().find(|s| starts(s)).map(|s| &target[s.len()..])?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let path = if end == rest.len() { &b"/"[..] } else { &rest[end..] };
    // `http://host?query` has an empty path; nobody sends it, and it cannot be forwarded verbatim.
    path.starts_with(b"/").then_some((&rest[..end], path))
}

fn header(line: &[u8], seen: &mut Seen) -> Result<(), Rejection> {
    let (name, value) = field(line)?;
    seen.headers += 1;
    // By length first: most headers are none of these.
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => {
            seen.hosts += 1;
            host(value)
        }
        7 if name.eq_ignore_ascii_case(b"upgrade") => {
            seen.upgrade |= value.eq_ignore_ascii_case(b"websocket");
            Ok(())
        }
        14 if name.eq_ignore_ascii_case(b"content-length") => {
            seen.lengths += 1;
            seen.length = length(value)?;
            Ok(())
        }
        17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
            seen.codings += 1;
            coding(value)
        }
        _ => Ok(()),
    }
}

/// Name and value of a header or a trailer, without its line end.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let Some(colon) = memchr::memchr(b':', line) else { return reject(400, "bad_header") };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    // A line that begins with a space continues the one before, or is the first of all: neither is allowed.
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || has_controls(value) {
        return reject(400, "bad_header");
    }
    Ok((name, value.trim_ascii()))
}

/// Digits only, and no more than fit in 63 bits.
pub(super) fn is_length(value: &[u8]) -> bool {
    value.len() <= LONGEST_LENGTH && value.iter().all(u8::is_ascii_digit)
}

fn length(value: &[u8]) -> Result<u64, Rejection> {
    if value.is_empty() || !is_length(value) {
        return reject(400, "bad_length");
    }
    Ok(value.iter().fold(0, |length, digit| length * 10 + u64::from(digit - b'0')))
}

/// A body is plain or chunked. Other codings would reach the origin without saying so: pingora forwards the body
/// as it is and the header as `chunked`.
fn coding(value: &[u8]) -> Result<(), Rejection> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let codings: Vec<&[u8]> = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let is_named = |coding: &&[u8]| !coding.is_empty() && coding.iter().all(|byte| is_token(*byte));
    let chunked_last_only = codings.len() > 1
        && codings.iter().all(is_named)
        && codings.last().is_some_and(is_chunked)
        && codings.iter().filter(|c| is_chunked(c)).count() == 1;
    if chunked_last_only { reject(501, "unknown_coding") } else { reject(400, "bad_coding") }
}

/// Characters of a host name: letters, digits, and what may stand around them.
const HOST: [bool; 256] = alphanumeric_and(b".-_~%!$&'()*+;=");

/// A host name or address with an optional port (RFC 9110, 7.2; RFC 3986, 3.2.2): no spaces, no path, no user.
fn host(value: &[u8]) -> Result<(), Rejection> {
    let is_good = match value.strip_prefix(b"[") {
        Some(rest) => memchr::memchr(b']', rest).is_some_and(|end| {
            let address = std::str::from_utf8(&rest[..end]).ok();
            address.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
                && is_port(&rest[end + 1..])
        }),
        None => {
            let end = memchr::memchr(b':', value).unwrap_or(value.len());
            let (name, port) = value.split_at(end);
            !name.is_empty()
                && name.iter().all(|byte| HOST[*byte as usize])
                && is_escaped(name)
                && is_port(port)
        }
    };
    if is_good { Ok(()) } else { reject(400, "bad_host") }
}

/// Nothing, or a colon and digits.
fn is_port(text: &[u8]) -> bool {
    text.is_empty() || text.strip_prefix(b":").is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
}

/// Whether two hexadecimal digits follow each `%`.
fn is_escaped(name: &[u8]) -> bool {
    let is_escape =
        |at: usize| name.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    memchr::memchr_iter(b'%', name).all(is_escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { header_bytes: 500, uri_bytes: 100, raw_targets: false };

    /// Request line and headers -> the reason of the rejection, or "ok".
    #[track_caller]
    fn check(head: &str, expected: &str) {
        let result = http1(format!("{head}\r\n\r\n").as_bytes(), LIMITS);
        let reason = result.map_or_else(|rejection| rejection.reason, |_| "ok");
        assert_eq!(reason, expected, "{head:?}");
    }

    #[test]
    fn ordinary_heads_pass() {
        check("GET / HTTP/1.1\r\nHost: a", "ok");
        check("GET /%2e%2e//x?y=%00&z=1 HTTP/1.1\r\nhost: a.example:8080\r\nX: ", "ok");
        check("POST / HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 10", "ok");
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked", "ok");
        check("OPTIONS * HTTP/1.1\r\nHost: a", "ok");
        check("GET http://a/b?c HTTP/1.1\r\nHost: a", "ok");
        check("GET / HTTP/1.0", "ok");
    }

    #[test]
    fn a_body_has_one_length() {
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
            "length_and_coding",
        );
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1", "bad_length");
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1", "bad_length");
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1", "bad_length");
        check("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:", "bad_length");
    }

    #[test]
    fn a_coding_is_chunked_or_refused() {
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked", "unknown_coding");
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked", "bad_coding");
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip", "bad_coding");
        check(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "bad_coding",
        );
        check("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"", "bad_coding");
    }

    #[test]
    fn a_request_has_one_host() {
        check("GET / HTTP/1.1\r\nX: y", "no_host");
        check("GET / HTTP/1.1\r\nHost: a\r\nHost: a", "bad_host");
        for host in ["", "a b", "a/b", "u@a", "a, b", "a\\b", "a?b"] {
            check(&format!("GET / HTTP/1.1\r\nHost: {host}"), "bad_host");
        }
        for host in [
            "a:b", "a:80:80", "a:-1", ":80", "[::1", "[::1]a", "[::1]:x", "[zz]", "[]", "a]b", "a[b]:c",
            "a%zz", "a%4",
        ] {
            check(&format!("GET / HTTP/1.1\r\nHost: {host}"), "bad_host");
        }
        for host in [
            "a",
            "a:",
            "a:80",
            "a_b-c.d.",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "a%c3%a9",
            "~!$&'()*+;=",
        ] {
            check(&format!("GET / HTTP/1.1\r\nHost: {host}"), "ok");
        }
    }

    #[test]
    fn a_target_is_a_path() {
        check("GET index.html HTTP/1.1\r\nHost: a", "bad_target");
        check("GET * HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /a#b HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /\"a\" HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /a?b={c|d} HTTP/1.1\r\nHost: a", "ok");
        check("GET ftp://a/b HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /caf\u{e9} HTTP/1.1\r\nHost: a", "bad_target");
        let raw = HeadLimits { raw_targets: true, ..LIMITS };
        for (limits, good) in [(LIMITS, false), (raw, true)] {
            let path = "/caf\u{e9}".as_bytes();
            assert_eq!(target(b"GET", path, limits).is_ok(), good);
            assert_eq!(http2(b"a", (b"GET", path), 10, limits).is_ok(), good);
        }
        check("GET http://a?b HTTP/1.1\r\nHost: a", "bad_target");
    }

    #[test]
    fn paths_of_the_shim_are_reserved() {
        for path in
            ["/_shim", "/_shim/", "/_shim/session", "/%5Fshim/user?x", "/_shim%2Fhealth", "//_shim/user"]
                .into_iter()
                .chain(["/_ficus", "/_ficus/about", "/%5fficus/about", "//_ficus%2fabout?x"])
        {
            check(&format!("GET {path} HTTP/1.1\r\nHost: a"), "reserved_path");
        }
        check("PUT http://a/_shim/session HTTP/1.1\r\nHost: a", "reserved_path");
        let http2 =
            http2(b"a", (b"GET", b"/_shim/session"), 10, LIMITS).map_err(|rejection| rejection.status);
        assert_eq!(http2, Err(404));
        for path in [
            "/_shimmer",
            "/_ficus-x",
            "/_ficusses/",
            "/a/_ficus/about",
            "/a/_shim/",
            "/?/_shim/",
            "/_SHIM/",
            "/%255Fshim/",
        ] {
            check(&format!("GET {path} HTTP/1.1\r\nHost: a"), "ok");
        }
    }

    #[test]
    fn lines_end_with_both_characters() {
        check("GET / HTTP/1.1\nHost: a", "bad_line_end");
        check("GET / HTTP/1.1\r\nHost: a\nX: y", "bad_line_end");
    }

    #[test]
    fn sizes_are_bounded() {
        let long = "x".repeat(101);
        check(&format!("GET /{long} HTTP/1.1\r\nHost: a"), "target_too_long");
        let long = "x".repeat(500);
        check(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), "head_too_large");
    }

    #[test]
    fn a_request_line_is_three_words() {
        for line in [
            "GET  / HTTP/1.1",
            "GET /a b HTTP/1.1",
            " GET / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET\t/ HTTP/1.1",
            "GET /",
            "GET / http/1.1",
            "GET / HTTP/1.10",
            "G(T / HTTP/1.1",
            "",
        ] {
            check(&format!("{line}\r\nHost: a"), "bad_request_line");
        }
        for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0"] {
            check(&format!("GET / {version}\r\nHost: a"), "bad_version");
        }
        check("CONNECT a:443 HTTP/1.1\r\nHost: a:443", "connect");
    }

    #[test]
    fn a_header_is_a_name_and_a_value() {
        for line in [
            "X",
            ": y",
            "X : y",
            " X: y",
            "X\t: y",
            "X y: z",
            "X: a\0b",
            "X: a\rb",
            "X: \u{7f}",
            "X\u{b}: y",
            "\u{e9}: y",
            "(X): y",
        ] {
            check(&format!("GET / HTTP/1.1\r\nHost: a\r\n{line}"), "bad_header");
        }
        check("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z", "bad_header");
        check("GET / HTTP/1.1\r\nHost: a\r\nX: caf\u{e9}\t!\r\nX_y:", "ok");
    }

    #[test]
    fn what_follows_a_head() {
        let follows = |lines: &str| {
            http1(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes(), LIMITS).unwrap()
        };
        assert_eq!(follows(""), Body::Length(0));
        assert_eq!(follows("Content-Length: 012\r\n"), Body::Length(12));
        assert_eq!(follows("Transfer-Encoding: chunked\r\n"), Body::Chunked);
        assert_eq!(follows("Upgrade: h2c\r\n"), Body::Length(0));
        assert_eq!(follows("Upgrade: WebSocket\r\nContent-Length: 0\r\n"), Body::Upgrade);
        check("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nContent-Length: 1", "upgrade_with_body");
        check("GET / HTTP/1.0\r\nTransfer-Encoding: chunked", "bad_coding");
        check("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000000000", "bad_length");
    }

    #[test]
    fn an_absolute_target_has_a_path() {
        assert_eq!(absolute(b"HTTP://a:1/b?c"), Some((&b"a:1"[..], &b"/b?c"[..])));
        assert_eq!(absolute(b"http://a"), Some((&b"a"[..], &b"/"[..])));
        assert_eq!(absolute(b"/http://a"), None);
        for host in ["", "u@a", "a:b"] {
            check(&format!("GET http://{host}/ HTTP/1.0"), "bad_host");
        }
    }
}
