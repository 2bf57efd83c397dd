//! From the bytes of a request and its answer to an exchange that can be masked and replayed, or the reason why not.

use std::io::Read;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::Taken;
use crate::shadow::corpus::{Exchange, Recorded};

/// What is taken, as it is; nothing of it may be written before it is masked.
pub(super) fn exchange(taken: &Taken, most: usize) -> Result<Exchange, &'static str> {
    let (status, answer_headers) = (taken.answer.0, &taken.answer.1);
    if status == 304 {
        // A replay has nothing kept, and gets the whole answer.
        return Err("not_modified");
    }
    let (request, answer) = (&taken.bodies.0, &taken.bodies.1);
    if !request.is_empty() && !can_be_sent_again(&taken.headers) {
        return Err("body_kind");
    }
    let mut headers = plain(answer_headers);
    let body = match encoding(answer_headers).as_deref() {
        None => answer.to_vec(),
        Some(_) if answer.is_empty() => Vec::new(),
        Some("gzip" | "x-gzip") => unzip(flate2::read::MultiGzDecoder::new(&answer[..]), most)?,
        Some("deflate") => unzip(flate2::read::ZlibDecoder::new(&answer[..]), most)?,
        Some(_) => return Err("encoded"),
    };
    headers.retain(|(name, _)| name != "content-encoding");
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

/// Whether what stands in place of a body can be sent: forms, JSON and text. Files of users are not written.
fn can_be_sent_again(headers: &HeaderMap) -> bool {
    if headers.contains_key(CONTENT_ENCODING) {
        return false;
    }
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.to_ascii_lowercase();
    media.contains("urlencoded") || media.contains("json") || media.starts_with("text/")
}

fn encoding(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_ENCODING)?.to_str().ok()?.trim().to_ascii_lowercase();
    (!text.is_empty() && text != "identity").then_some(text)
}

fn unzip(reader: impl Read, most: usize) -> Result<Vec<u8>, &'static str> {
    let mut body = Vec::new();
    let most = most as u64;
    match reader.take(most + 1).read_to_end(&mut body) {
        Ok(read) if read as u64 > most => Err("body_too_large"),
        Ok(_) => Ok(body),
        Err(_) => Err("encoded"),
    }
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
    use std::io::Write;

    use super::*;

    #[test]
    fn compressed_answers_are_bounded() {
        let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zipped.write_all(&[b'x'; 5_000]).unwrap();
        let zipped = zipped.finish().unwrap();
        let read = |most| unzip(flate2::read::MultiGzDecoder::new(&zipped[..]), most);
        assert_eq!(read(5_000), Ok(vec![b'x'; 5_000]));
        assert_eq!(read(4_999), Err("body_too_large"));
        assert_eq!(unzip(flate2::read::MultiGzDecoder::new(&b"nonsense"[..]), 9), Err("encoded"));
        assert_eq!(titled("content-type"), "Content-Type");
    }

    #[test]
    fn files_are_not_sent_again() {
        let headers = |media: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static(media));
            headers
        };
        for media in ["application/x-www-form-urlencoded", "application/json; charset=utf-8", "text/plain"] {
            assert!(can_be_sent_again(&headers(media)), "{media}");
        }
        assert!(!can_be_sent_again(&headers("multipart/form-data; boundary=x")));
        assert!(!can_be_sent_again(&HeaderMap::new()));
    }
}
