//! From the bytes of a request and its answer to an exchange that can be masked and replayed, or the reason why not.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Taken;
use crate::shadow::coding::{Undecoded, codings, decoded};
use crate::shadow::corpus::{Exchange, Recorded, is_multipart, read_parts};

/// Bodies that are files of users: what is sent in their place has the same length and kind.
const FILES: &[&str] = &[
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
    "application/msword",
    "application/vnd.",
    "audio/",
    "font/",
    "image/",
    "video/",
];

/// What is taken, as it is; nothing of it may be written before it is masked.
pub(super) fn exchange(taken: &Taken, most: usize) -> Result<Exchange, &'static str> {
    let (status, answer_headers) = (taken.answer.0, &taken.answer.1);
    let (request, answer) = (&taken.bodies.0, &taken.bodies.1);
    if !request.is_empty() && !can_be_sent_again(&taken.headers, request) {
        return Err("body_kind");
    }
    let mut headers = plain(answer_headers);
    let body = decoded(&codings(answer_headers), answer, most).map_err(|why| match why {
        Undecoded::TooLarge => "body_too_large",
        Undecoded::Unknown => "encoded",
    })?;
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("content-encoding"));
    Ok(Exchange {
        route: Some(taken.route.name.clone()),
        served: Some(taken.served.clone()),
        method: taken.method.to_string(),
        target: taken.target.clone(),
        headers: plain(&taken.headers),
        body: request.to_vec(),
        answer: Some(Recorded { status, headers, body }),
        ..Exchange::default()
    })
}

/// Whether something can be sent in the place of a body: forms, JSON and text are masked, and files are replaced.
fn can_be_sent_again(headers: &HeaderMap, body: &[u8]) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_multipart(content_type) {
        return read_parts(content_type, body).is_some();
    }
    let media = content_type.to_ascii_lowercase();
    media.contains("urlencoded")
        || media.contains("json")
        || media.starts_with("text/")
        || FILES.iter().any(|file| media.starts_with(file))
}

fn plain(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (titled(name.as_str()), text(value))).collect()
}

/// `content-type` is `Content-Type` where people read it.
fn titled(name: &str) -> String {
    let mut start = true;
    let letter = |c: char| {
        let shown = if start { c.to_ascii_uppercase() } else { c };
        start = c == '-';
        shown
    };
    name.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_written_as_people_read_them() {
        assert_eq!(titled("content-type"), "Content-Type");
    }

    #[test]
    fn what_has_no_stand_in_is_not_sent_again() {
        let can = |media: &str, body: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, media.parse().unwrap());
            can_be_sent_again(&headers, body)
        };
        for media in [
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-8",
            "text/plain",
            "image/png",
            "application/vnd.ms-excel",
        ] {
            assert!(can(media, b"x"), "{media}");
        }
        let part = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--\r\n";
        assert!(can("multipart/form-data; boundary=x", part));
        assert!(!can("multipart/form-data; boundary=y", part) && !can("application/x-own", b"x"));
        assert!(!can_be_sent_again(&HeaderMap::new(), b"x"));
        let mut zipped = HeaderMap::new();
        zipped.insert(CONTENT_TYPE, "text/plain".parse().unwrap());
        zipped.insert(CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(!can_be_sent_again(&zipped, b"x"));
    }
}
