//! What a request's head must be before anything else looks at it.
//!
//! Step 1 of a request (accept). Works on the bytes as they came, because pingora repairs some faults before any
//! of its hooks: a proxy and an origin that repair differently can be played against each other. Faults that
//! pingora refuses by itself (see its parser) are not repeated here. Pure.

use crate::settings::Limits;

/// A request that goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rejection {
    /// What the client gets.
    pub(super) status: u16,
    /// Why, as a stable word for metrics and logs.
    pub(super) reason: &'static str,
}

const fn reject<T>(status: u16, reason: &'static str) -> Result<T, Rejection> {
    Err(Rejection { status, reason })
}

/// Headers that decide where a request ends and whom it is for.
#[derive(Default)]
struct Seen {
    hosts: u32,
    lengths: u32,
    codings: u32,
}

/// Checks the head of an HTTP/1 request, from the request line to the empty line.
pub(super) fn http1(head: &[u8], limits: &Limits) -> Result<(), Rejection> {
    let head = head.trim_ascii_start();
    if head.len() > limits.header_bytes {
        return reject(431, "head_too_large");
    }
    let mut lines = head.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r\n"));
    let Some(Some(request_line)) = lines.next() else { return reject(400, "bad_line_end") };
    let is_http11 = request_line.ends_with(b"HTTP/1.1");
    target(request_line, limits)?;
    let mut seen = Seen::default();
    for line in lines {
        match line {
            None => return reject(400, "bad_line_end"),
            Some(b"") => break,
            Some(line) => header(line, &mut seen)?,
        }
    }
    match seen {
        Seen { hosts: 0, .. } if is_http11 => reject(400, "no_host"),
        Seen { hosts: 2.., .. } => reject(400, "bad_host"),
        Seen { lengths: 1.., codings: 1.., .. } => reject(400, "length_and_coding"),
        Seen { lengths: 2.., .. } => reject(400, "bad_length"),
        Seen { codings: 2.., .. } => reject(400, "bad_coding"),
        _ => Ok(()),
    }
}

/// Whether the request line has escapes such as pingora puts in place of bytes that do not belong there. Alone this
/// says nothing; with a connection that saw such bytes it is sure. (The connection alone may be mistaken: it cannot
/// tell where the head of a pipelined request begins.)
pub(super) fn looks_repaired(head: &[u8]) -> bool {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.windows(3)
        .any(|three| matches!(three, [b'%', b'0' | b'1', _] | b"%20" | b"%22" | b"%3C" | b"%3E" | b"%7F"))
}

/// Checks an HTTP/2 request, whose framing leaves less to get wrong.
pub(super) fn http2(
    authority: &[u8],
    target: &[u8],
    head_bytes: usize,
    limits: &Limits,
) -> Result<(), Rejection> {
    if head_bytes > limits.header_bytes {
        return reject(431, "head_too_large");
    }
    if target.len() > limits.uri_bytes {
        return reject(414, "target_too_long");
    }
    host(authority)
}

fn target(request_line: &[u8], limits: &Limits) -> Result<(), Rejection> {
    let mut words = request_line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(_version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return reject(400, "bad_request_line");
    };
    if target.len() > limits.uri_bytes {
        return reject(414, "target_too_long");
    }
    let form_is_known = target.starts_with(b"/")
        || (target == b"*" && method == b"OPTIONS")
        || absolute_path(target).is_some()
        // pingora answers CONNECT with 405 before it comes here.
        || method == b"CONNECT";
    // Other characters that no target should have (`{`, `|`, `^`) are sent by browsers and taken by Flask.
    let is_foreign = |byte: &u8| byte.is_ascii_control() || matches!(byte, b'#' | b'"' | b'<' | b'>');
    if !form_is_known || target.iter().any(is_foreign) {
        return reject(400, "bad_target");
    }
    Ok(())
}

/// The path and query of an absolute-form target such as `http://host/path`.
pub(super) fn absolute_path(target: &[u8]) -> Option<&[u8]> {
    let starts = |scheme: &[u8]| target.get(..scheme.len()).is_some_and(|t| t.eq_ignore_ascii_case(scheme));
    let rest =
        [&b"http://"[..], &b"https://"[..]].into_iter().find(|s| starts(s)).map(|s| &target[s.len()..])?;
    let path = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).map_or(&b"/"[..], |at| &rest[at..]);
    // `http://host?query` has an empty path; nobody sends it, and it cannot be forwarded verbatim.
    path.starts_with(b"/").then_some(path)
}

fn header(line: &[u8], seen: &mut Seen) -> Result<(), Rejection> {
    let Some(colon) = line.iter().position(|byte| *byte == b':') else { return reject(400, "bad_header") };
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.eq_ignore_ascii_case(b"host") {
        seen.hosts += 1;
        host(value)
    } else if name.eq_ignore_ascii_case(b"content-length") {
        seen.lengths += 1;
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        if is_number { Ok(()) } else { reject(400, "bad_length") }
    } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
        seen.codings += 1;
        coding(value)
    } else {
        Ok(())
    }
}

/// A body is plain or chunked. Other codings would reach the origin without saying so: pingora forwards the body
/// as it is and the header as `chunked`.
fn coding(value: &[u8]) -> Result<(), Rejection> {
    if value.eq_ignore_ascii_case(b"chunked") {
        return Ok(());
    }
    let codings: Vec<&[u8]> = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).collect();
    let is_chunked = |coding: &&[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let chunked_last_only =
        codings.last().is_some_and(is_chunked) && codings.iter().filter(|c| is_chunked(c)).count() == 1;
    if chunked_last_only { reject(501, "unknown_coding") } else { reject(400, "bad_coding") }
}

/// A host name or address with an optional port: no spaces, no path, no user.
fn host(value: &[u8]) -> Result<(), Rejection> {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_:[]~%!$&'()*+;=".contains(byte);
    if value.is_empty() || !value.iter().all(allowed) {
        return reject(400, "bad_host");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        body_bytes: 1_000,
        header_bytes: 500,
        uri_bytes: 100,
        backend_requests: 10,
        body_rate: 1,
        replay_bytes: 1,
        replay_memory: 1,
        connections: 1,
        connections_per_client: 1,
    };

    /// Request line and headers -> the reason of the rejection, or "ok".
    #[track_caller]
    fn check(head: &str, expected: &str) {
        let result = http1(format!("{head}\r\n\r\n").as_bytes(), &LIMITS);
        let reason = result.map_or_else(|rejection| rejection.reason, |()| "ok");
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
        check("\r\nGET / HTTP/1.1\r\nHost: a", "ok");
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
    }

    #[test]
    fn a_target_is_a_path() {
        check("GET index.html HTTP/1.1\r\nHost: a", "bad_target");
        check("GET * HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /a#b HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /\"a\" HTTP/1.1\r\nHost: a", "bad_target");
        check("GET /a?b={c|d} HTTP/1.1\r\nHost: a", "ok");
        check("GET ftp://a/b HTTP/1.1\r\nHost: a", "bad_target");
        check("GET http://a?b HTTP/1.1\r\nHost: a", "bad_target");
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
    fn repairs_are_recognized() {
        assert!(looks_repaired(b"GET /a%20b HTTP/1.1\r\nHost: a\r\n"));
        assert!(looks_repaired(b"\r\nGET /a%00 HTTP/1.1\r\n"));
        assert!(!looks_repaired(b"GET /a%2Fb HTTP/1.1\r\nX: %20\r\n"));
    }

    #[test]
    fn an_absolute_target_has_a_path() {
        assert_eq!(absolute_path(b"HTTP://a/b?c"), Some(&b"/b?c"[..]));
        assert_eq!(absolute_path(b"http://a"), Some(&b"/"[..]));
        assert_eq!(absolute_path(b"/http://a"), None);
    }
}
