//! Headers on their way: what a backend gets beside what the client sent, and what a client must not see.
//!
//! Step 5 of a request (forward), in both directions. Hop-by-hop headers of requests are removed by pingora before
//! this; everything that is not named here passes as it is.

use std::io::Write;
use std::net::IpAddr;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, DATE, FORWARDED, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
    UPGRADE,
};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};

use super::client::Client;
use super::request_checks::{has_controls, is_length};
use super::trace::Trace;

/// A handler's word that it has changed nothing and that Flask shall answer.
pub(super) const DEFER: &str = "x-ficus-defer";

/// What a backend is told about a request.
pub(super) struct Forwarded<'a> {
    pub(super) client: &'a Client,
    pub(super) trace: &'a Trace,
    /// The route's name; only candidates are told.
    pub(super) route: Option<&'a str>,
    /// The connection is for this request alone.
    pub(super) single_use: bool,
}

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Turns a client's request into ours: what must not go on is removed, and what we say ourselves is the result, as lines
/// of the head. Who sends them as they are (`upstream::Loan`) saves what it costs to parse them again, once for each of
/// pingora's two maps.
pub(super) fn to_backend(request: &mut RequestHeader, forwarded: &Forwarded<'_>) -> Result<Vec<u8>> {
    let (client, trace) = (forwarded.client, forwarded.trace);
    let mut lines = Vec::with_capacity(512);
    remove_foreign(request, client.trusted);
    forwarded_for(&mut lines, request, client)?;
    if !(client.trusted && request.headers.contains_key(&X_FORWARDED_PROTO)) {
        let scheme = if client.https { "https" } else { "http" };
        add(&mut lines, "X-Forwarded-Proto: ", &[scheme.as_bytes()])?;
    }
    let host = request.headers.get(HOST).map(HeaderValue::as_bytes);
    if !(client.trusted && request.headers.contains_key(&X_FORWARDED_HOST))
        && let Some(host) = host
    {
        add(&mut lines, "X-Forwarded-Host: ", &[host])?;
    }
    forwarded_header(&mut lines, request, client)?;
    add(&mut lines, "X-Request-Id: ", &[trace.request_id.as_bytes()])?;
    add(&mut lines, "Traceparent: ", &[trace.parent.as_bytes()])?;
    if let Some(route) = forwarded.route {
        add(&mut lines, "X-Ficus-Route: ", &[route.as_bytes()])?;
    }
    remove_replaced(request, trace.continued);
    join_cookies(request)?;
    if forwarded.single_use && !request.headers.contains_key(CONNECTION) {
        request.insert_header(CONNECTION, "close")?;
    }
    Ok(lines)
}

/// Puts the lines into the head, where they cannot be sent as they are.
pub(super) fn insert(request: &mut RequestHeader, lines: Vec<u8>) -> Result<()> {
    let lines = Bytes::from(lines);
    let mut rest = &lines[..];
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = &rest[..end - 1];
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let value = HeaderValue::from_maybe_shared(lines.slice_ref(&line[colon + 2..]));
        let value = value.map_err(|_| unsendable())?;
        request.insert_header(lines.slice_ref(&line[..colon]), value)?;
        rest = &rest[end + 1..];
    }
    Ok(())
}

fn unsendable() -> Box<Error> {
    Error::explain(ErrorType::InvalidHTTPHeader, "a header has control bytes")
}

/// Adds a line, from its name with colon and space; the parts are its value.
fn add(lines: &mut Vec<u8>, begin: &'static str, parts: &[&[u8]]) -> Result<()> {
    lines.extend_from_slice(begin.as_bytes());
    for part in parts {
        if has_controls(part) {
            return Err(unsendable());
        }
        lines.extend_from_slice(part);
    }
    lines.extend_from_slice(b"\r\n");
    Ok(())
}

/// Removes what only we may say, and names that WSGI cannot tell from others: it reads `X_Forwarded_For` and
/// `X-Forwarded-For` as one, and `Proxy` as the variable that HTTP clients take their proxy from.
fn remove_foreign(request: &mut RequestHeader, trusted: bool) {
    let foreign = |name: &&HeaderName| {
        let name = name.as_str();
        let spoofable = name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-");
        memchr::memchr(b'_', name.as_bytes()).is_some()
            || name == "proxy"
            || name.starts_with("x-ficus-")
            || (spoofable && !trusted)
    };
    remove(request, foreign);
}

/// Removes what our own lines say instead; the values were continued there.
fn remove_replaced(request: &mut RequestHeader, trace_continued: bool) {
    let replaced = |name: &&HeaderName| match name.as_str() {
        "x-forwarded-for" | "forwarded" | "x-request-id" | "traceparent" => true,
        "tracestate" => !trace_continued,
        _ => false,
    };
    remove(request, replaced);
}

/// Removes what is between the client and us (RFC 9110, 7.6.1), where pingora's proxy does not.
pub(super) fn remove_hop_by_hop(request: &mut RequestHeader) {
    remove(request, |name| {
        matches!(
            name.as_str(),
            "connection"
                | "http2-settings"
                | "keep-alive"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "proxy-connection"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
        )
    });
}

fn remove(request: &mut RequestHeader, which: impl Fn(&&HeaderName) -> bool) {
    let names: Vec<HeaderName> = request.headers.keys().filter(which).cloned().collect();
    for name in names {
        request.remove_header(&name);
    }
}

/// Adds a line with what was said before, and with what `ours` adds.
fn add_continued<'v>(
    lines: &mut Vec<u8>,
    begin: &'static str,
    before: impl Iterator<Item = &'v [u8]>,
    ours: impl FnOnce(&mut Vec<u8>),
) -> Result<()> {
    lines.extend_from_slice(begin.as_bytes());
    let start = lines.len();
    for said in before {
        lines.extend_from_slice(said);
        lines.extend_from_slice(b", ");
    }
    ours(lines);
    if has_controls(&lines[start..]) {
        return Err(unsendable());
    }
    lines.extend_from_slice(b"\r\n");
    Ok(())
}

/// Adds an address as people write it.
fn push_address(text: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        // Writing to a Vec does not fail.
        let _ = write!(text, "{address}");
        return;
    };
    for (at, octet) in address.octets().into_iter().enumerate() {
        if at > 0 {
            text.push(b'.');
        }
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.push(b'0' + octet % 10);
    }
}

/// The user's address stays first, where Flask-Login's session protection looks for it; the other end of this
/// connection is added last.
fn forwarded_for(lines: &mut Vec<u8>, request: &RequestHeader, client: &Client) -> Result<()> {
    let before = request.headers.get_all(&X_FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
    add_continued(lines, "X-Forwarded-For: ", before, |value| push_address(value, client.peer))
}

/// The same in the words of RFC 7239: one element per hop, ours is the last.
fn forwarded_header(lines: &mut Vec<u8>, request: &RequestHeader, client: &Client) -> Result<()> {
    let before = request.headers.get_all(FORWARDED).iter().map(HeaderValue::as_bytes);
    let host = request.headers.get(HOST).map(HeaderValue::as_bytes).filter(|host| !host.is_empty());
    add_continued(lines, "Forwarded: ", before, |value| {
        value.extend_from_slice(b"for=");
        let (open, close): (&[u8], &[u8]) = if client.peer.is_ipv6() { (b"\"[", b"]\"") } else { (b"", b"") };
        value.extend_from_slice(open);
        push_address(value, client.peer);
        value.extend_from_slice(close);
        if let Some(host) = host {
            // A host has no quotes and no backslashes, or the request would not be here.
            value.extend_from_slice(b";host=\"");
            value.extend_from_slice(host);
            value.push(b'"');
        }
        value.extend_from_slice(if client.https { b";proto=https" } else { b";proto=http" });
    })
}

/// HTTP/2 clients may send one Cookie header per cookie; WSGI would join them with a comma.
fn join_cookies(request: &mut RequestHeader) -> Result<()> {
    if request.headers.get_all(COOKIE).iter().nth(1).is_none() {
        return Ok(());
    }
    let cookies: Vec<&[u8]> = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    let joined = cookies.join(&b"; "[..]);
    request.insert_header(COOKIE, joined)
}

/// Cleans a backend's answer: hop-by-hop headers and our own words end here.
///
/// # Errors
/// When the answer's framing cannot be trusted.
pub(super) fn from_backend(response: &mut ResponseHeader) -> Result<()> {
    // `Connection` itself is written by pingora in final answers, and an upgrade needs what it names.
    let ends_here = response.status != http::StatusCode::SWITCHING_PROTOCOLS;
    let interim = response.status.is_informational();
    // Nothing follows such an answer, whatever its head says; a client may believe it (RFC 9112, 6.1; RFC 9110, 8.6).
    let bodiless = interim || response.status == http::StatusCode::NO_CONTENT;
    let (mut codings, mut lengths) = (0, 0);
    let mut ending: Vec<HeaderName> = Vec::new();
    for (name, value) in &response.headers {
        let value = value.as_bytes();
        if has_controls(value) {
            // A client might take one for the end of a line.
            return Err(untrusted("header value of the answer has control bytes"));
        }
        match name.as_str() {
            "transfer-encoding" if !value.trim_ascii().eq_ignore_ascii_case(b"chunked") => codings = 2,
            "transfer-encoding" => codings += 1,
            // pingora takes a length that is said twice in the same way.
            "content-length" if !is_length(value) => lengths = 2,
            "content-length" => lengths += 1,
            "connection" if ends_here => ending.extend(named_by_connection(value)),
            "keep-alive" | "proxy-connection" | "upgrade" if ends_here => ending.push(name.clone()),
            own if own.starts_with("x-ficus-") => ending.push(name.clone()),
            _ => {}
        }
    }
    if codings > 1 {
        return Err(untrusted("transfer coding of the answer is not chunked"));
    }
    if lengths > 1 {
        return Err(untrusted("length of the answer is not one number"));
    }
    for name in ending {
        response.remove_header(&name);
    }
    if bodiless {
        response.remove_header(&CONTENT_LENGTH);
        response.remove_header(&TRANSFER_ENCODING);
    }
    if interim && ends_here {
        response.remove_header(&CONNECTION);
    }
    Ok(())
}

fn named_by_connection(value: &[u8]) -> impl Iterator<Item = HeaderName> + '_ {
    let ends_here = |name: &HeaderName| {
        !matches!(name.as_str(), "close" | "keep-alive" | "content-length" | "transfer-encoding")
    };
    let tokens = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    tokens.filter_map(|token| HeaderName::from_bytes(token).ok()).filter(ends_here)
}

fn untrusted(what: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
}

/// Whether a backend's answer hands the request back.
pub(super) fn defers(response: &ResponseHeader) -> bool {
    response.status == http::StatusCode::SERVICE_UNAVAILABLE
        && response.headers.get(DEFER).is_some_and(|value| value.as_bytes() == b"1")
}

/// Whether a backend's 101 opens the tunnel that was asked for.
pub(super) fn opens_websocket(response: &ResponseHeader) -> bool {
    response.headers.get(UPGRADE).is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// The origin's Date.
pub(super) fn date(response: &ResponseHeader) -> Option<&[u8]> {
    response.headers.get(DATE).map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&'static str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in headers {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn client(trusted: bool) -> Client {
        let peer = "192.0.2.1".parse().unwrap();
        Client { peer, trusted, address: peer, https: false }
    }

    fn forward(headers: &[(&'static str, &str)], trusted: bool) -> RequestHeader {
        let mut request = request(headers);
        let trace = Trace { request_id: "r".into(), parent: "p".into(), ..Trace::default() };
        let client = client(trusted);
        let forwarded = Forwarded { client: &client, trace: &trace, route: None, single_use: false };
        let lines = to_backend(&mut request, &forwarded).unwrap();
        insert(&mut request, lines).unwrap();
        request
    }

    fn value<'a>(request: &'a RequestHeader, name: &str) -> &'a str {
        request.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn a_strangers_word_about_themselves_is_dropped() {
        let lies = [
            ("Host", "crm.example"),
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-Host", "evil.example"),
            ("X-Forwarded-Prefix", "/evil"),
            ("Forwarded", "for=203.0.113.9"),
            ("X-Real-IP", "203.0.113.9"),
            ("X-Ficus-Route", "admin"),
            ("X_Forwarded_For", "203.0.113.9"),
            ("Proxy", "evil.example"),
        ];
        let request = forward(&lies, false);
        assert_eq!(value(&request, "x-forwarded-for"), "192.0.2.1");
        assert_eq!(value(&request, "x-forwarded-host"), "crm.example");
        assert_eq!(value(&request, "x-forwarded-proto"), "http");
        assert_eq!(value(&request, "forwarded"), "for=192.0.2.1;host=\"crm.example\";proto=http");
        for name in ["x-forwarded-prefix", "x-real-ip", "x-ficus-route", "x_forwarded_for", "proxy"] {
            assert!(!request.headers.contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_line_of_ours_is_one_line() {
        let mut lines = Vec::new();
        add(&mut lines, "X-Ficus-Route: ", &[b"customers.detail"]).unwrap();
        assert_eq!(lines, b"X-Ficus-Route: customers.detail\r\n");
        for bad in ["a\r\nEvil: 1", "a\nb", "a\0", "\u{7f}"] {
            assert!(add(&mut Vec::new(), "X-Ficus-Route: ", &[bad.as_bytes()]).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_address_is_written_as_the_library_does() {
        for address in ["0.0.0.0", "9.10.99.100", "255.200.1.42", "2001:db8::1"] {
            let mut text = Vec::new();
            push_address(&mut text, address.parse().unwrap());
            assert_eq!(text, address.as_bytes());
        }
    }

    #[test]
    fn a_trusted_proxys_word_is_continued() {
        let said = [
            ("X-Forwarded-For", "203.0.113.9"),
            ("X-Forwarded-For", "10.0.0.2"),
            ("X-Forwarded-Proto", "https"),
            ("Forwarded", "for=203.0.113.9;proto=https"),
        ];
        let request = forward(&said, true);
        assert_eq!(value(&request, "forwarded"), "for=203.0.113.9;proto=https, for=192.0.2.1;proto=http");
        assert_eq!(value(&request, "x-forwarded-for"), "203.0.113.9, 10.0.0.2, 192.0.2.1");
        assert_eq!(value(&request, "x-forwarded-proto"), "https");
    }

    #[test]
    fn cookies_are_joined_as_wsgi_reads_them() {
        let request = forward(&[("Cookie", "a=1"), ("Cookie", "b=2")], false);
        assert_eq!(value(&request, "cookie"), "a=1; b=2");
        assert_eq!(request.headers.get_all("cookie").iter().count(), 1);
    }

    #[test]
    fn an_answer_keeps_what_is_the_applications() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("X-Ficus-Anything", "1"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Server", "gunicorn"),
        ] {
            response.append_header(name, value).unwrap();
        }
        from_backend(&mut response).unwrap();
        for name in ["x-hop", "keep-alive", "x-ficus-anything"] {
            assert!(!response.headers.contains_key(name), "{name}");
        }
        let cookies: Vec<_> = response.headers.get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(response.headers["server"], "gunicorn");
    }

    #[test]
    fn an_answer_with_two_lengths_is_not_passed_on() {
        for headers in [
            &[("Content-Length", "2"), ("Content-Length", "2")][..],
            &[("Content-Length", "2, 2")],
            &[("Content-Length", "+2")],
        ] {
            let mut response = ResponseHeader::build(200, None).unwrap();
            for (name, value) in headers {
                response.append_header(*name, *value).unwrap();
            }
            assert!(from_backend(&mut response).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn an_answer_with_another_coding_is_not_passed_on() {
        for codings in [&["gzip"][..], &["gzip, chunked"], &["chunked", "chunked"]] {
            let mut response = ResponseHeader::build(200, None).unwrap();
            for coding in codings {
                response.append_header("Transfer-Encoding", *coding).unwrap();
            }
            assert!(from_backend(&mut response).is_err(), "{codings:?}");
        }
    }
}
