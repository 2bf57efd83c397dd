//! Headers on their way: what a backend gets beside what the client sent, and what a client must not see.
//!
//! Step 5 of a request (forward), in both directions. Hop-by-hop headers of requests are removed by pingora before
//! this; everything that is not named here passes as it is.

use std::io::Write;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, DATE, FORWARDED, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};

use super::client::Client;
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

/// Turns a client's request into ours.
pub(super) fn to_backend(request: &mut RequestHeader, forwarded: &Forwarded<'_>) -> Result<()> {
    remove_foreign(request, forwarded.client.trusted);
    forwarded_for(request, forwarded.client)?;
    if !request.headers.contains_key("x-forwarded-proto") {
        let scheme = if forwarded.client.https { "https" } else { "http" };
        request.insert_header("X-Forwarded-Proto", scheme)?;
    }
    if !request.headers.contains_key("x-forwarded-host")
        && let Some(host) = request.headers.get(HOST).cloned()
    {
        request.insert_header("X-Forwarded-Host", host)?;
    }
    forwarded_header(request, forwarded.client)?;
    request.insert_header("X-Request-Id", forwarded.trace.request_id.as_str())?;
    request.insert_header("Traceparent", forwarded.trace.parent.as_str())?;
    if !forwarded.trace.continued {
        request.remove_header("tracestate");
    }
    if let Some(route) = forwarded.route {
        request.insert_header("X-Ficus-Route", route)?;
    }
    join_cookies(request)?;
    if forwarded.single_use && !request.headers.contains_key(CONNECTION) {
        request.insert_header(CONNECTION, "close")?;
    }
    Ok(())
}

/// Removes what only we may say, and names that WSGI cannot tell from others: it reads `X_Forwarded_For` and
/// `X-Forwarded-For` as one, and `Proxy` as the variable that HTTP clients take their proxy from.
fn remove_foreign(request: &mut RequestHeader, trusted: bool) {
    let foreign = |name: &&HeaderName| {
        let name = name.as_str();
        let spoofable = name == "forwarded" || name == "x-real-ip" || name.starts_with("x-forwarded-");
        name.contains('_') || name == "proxy" || name.starts_with("x-ficus-") || (spoofable && !trusted)
    };
    let names: Vec<HeaderName> = request.headers.keys().filter(foreign).cloned().collect();
    for name in names {
        request.remove_header(&name);
    }
}

/// The user's address stays first, where Flask-Login's session protection looks for it; the other end of this
/// connection is added last.
fn forwarded_for(request: &mut RequestHeader, client: &Client) -> Result<()> {
    let peer = client.peer.to_string();
    let before: Vec<&[u8]> =
        request.headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes).collect();
    let value = if before.is_empty() {
        peer.into_bytes()
    } else {
        let mut joined = before.join(&b", "[..]);
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(peer.as_bytes());
        joined
    };
    request.insert_header("X-Forwarded-For", value)
}

/// The same in the words of RFC 7239: one element per hop, ours is the last.
fn forwarded_header(request: &mut RequestHeader, client: &Client) -> Result<()> {
    let mut value = Vec::with_capacity(96);
    for before in request.headers.get_all(FORWARDED) {
        value.extend_from_slice(before.as_bytes());
        value.extend_from_slice(b", ");
    }
    // Writing to a Vec does not fail.
    let _ = match client.peer {
        IpAddr::V4(peer) => write!(value, "for={peer}"),
        IpAddr::V6(peer) => write!(value, "for=\"[{peer}]\""),
    };
    if let Some(host) = request.headers.get(HOST).map(HeaderValue::as_bytes).filter(|host| !host.is_empty()) {
        // A host has no quotes and no backslashes, or the request would not be here.
        value.extend_from_slice(b";host=\"");
        value.extend_from_slice(host);
        value.push(b'"');
    }
    value.extend_from_slice(if client.https { b";proto=https" } else { b";proto=http" });
    request.insert_header(FORWARDED, value)
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
    check_coding(response)?;
    check_length(response)?;
    check_values(response)?;
    let own = |name: &&HeaderName| name.as_str().starts_with("x-ficus-");
    let mut names: Vec<HeaderName> = response.headers.keys().filter(own).cloned().collect();
    // `Connection` itself is written by pingora, and an upgrade needs what it names.
    if response.status != http::StatusCode::SWITCHING_PROTOCOLS {
        names.extend(named_by_connection(response));
        names.extend(["keep-alive", "proxy-connection", "upgrade"].map(HeaderName::from_static));
    }
    for name in names {
        response.remove_header(&name);
    }
    Ok(())
}

fn named_by_connection(response: &ResponseHeader) -> Vec<HeaderName> {
    let ends_here = |name: &HeaderName| {
        !matches!(name.as_str(), "close" | "keep-alive" | "content-length" | "transfer-encoding")
    };
    let values = response.headers.get_all(CONNECTION).iter();
    let tokens = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    tokens.filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok()).filter(ends_here).collect()
}

fn check_coding(response: &ResponseHeader) -> Result<()> {
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(untrusted("transfer coding of the answer is not chunked")),
    }
}

/// pingora takes a length that is said twice in the same way.
fn check_length(response: &ResponseHeader) -> Result<()> {
    let mut lengths = response.headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(length), None) if length.as_bytes().iter().all(u8::is_ascii_digit) => Ok(()),
        _ => Err(untrusted("length of the answer is not one number")),
    }
}

fn untrusted(what: &'static str) -> Box<Error> {
    Error::explain(ErrorType::InvalidHTTPHeader, what).into_up()
}

/// A client might take a control byte for the end of a line.
fn check_values(response: &ResponseHeader) -> Result<()> {
    let is_foreign = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    if response.headers.values().any(|value| value.as_bytes().iter().any(is_foreign)) {
        return Err(untrusted("header value of the answer has control bytes"));
    }
    Ok(())
}

/// Whether a backend's answer hands the request back.
pub(super) fn defers(response: &ResponseHeader) -> bool {
    response.status == http::StatusCode::SERVICE_UNAVAILABLE
        && response.headers.get(DEFER).is_some_and(|value| value.as_bytes() == b"1")
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
        to_backend(&mut request, &forwarded).unwrap();
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
