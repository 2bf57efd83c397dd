//! The answers that Ficus gives by itself: small, plain, and clear about whether trying again makes sense.

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use pingora::Result;
use pingora::http::ResponseHeader;

/// How long a client shall wait before it tries again, in seconds.
const RETRY_SECONDS: &str = "5";

/// What a page says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    title: &'static str,
    detail: &'static str,
}

#[rustfmt::skip]
fn text(status: u16) -> Text {
    let (title, detail) = match status {
        400 => ("Bad Request", "The request could not be understood."),
        404 => ("Not Found", "There is nothing at this address."),
        408 => ("Request Timeout", "The request took too long to arrive."),
        413 => ("Content Too Large", "What was sent is larger than this server accepts."),
        414 => ("URI Too Long", "The address is longer than this server accepts."),
        429 => ("Too Many Requests", "You have asked too often in a short time. Please wait a moment."),
        431 => ("Request Header Fields Too Large", "The request's headers are larger than this server accepts."),
        501 => ("Not Implemented", "The request's transfer coding is not supported."),
        502 => ("Bad Gateway", "The application cannot be reached right now. Please try again in a moment."),
        503 => ("Service Unavailable", "This page is not available right now. Please try again in a moment."),
        504 => ("Gateway Timeout", "The application did not answer in time. Please try again in a moment."),
        _ => ("Internal Server Error", "Something went wrong."),
    };
    Text { title, detail }
}

/// The page for a request that was given up because doing it twice could do harm.
const UNREPEATABLE: &str = "The application failed while it was working on your request. It was not sent a \
                            second time, because it may have been carried out: please check before you repeat it.";
/// The page for a request whose body is too large to be kept for a second attempt.
const TOO_LARGE_TO_REPEAT: &str = "The part of the application that was asked first could not answer, and what was \
                                   sent is too large to be sent a second time. Nothing was changed.";

/// Why there is more to say than the status does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing.
    None,
    /// The request may have been carried out.
    Unrepeatable,
    /// The request was handed back but its body is gone.
    TooLargeToRepeat,
}

/// The head and body of an answer with this status.
pub(super) fn page(
    status: u16,
    note: Note,
    request_id: &str,
    request: &HeaderMap,
    retry_after: Option<u64>,
) -> Result<(ResponseHeader, Bytes)> {
    let Text { title, detail } = text(status);
    let detail = match note {
        Note::None => detail,
        Note::Unrepeatable => UNREPEATABLE,
        Note::TooLargeToRepeat => TOO_LARGE_TO_REPEAT,
    };
    let (content_type, body) = if prefers_json(request) {
        ("application/problem+json", json(status, title, detail, request_id))
    } else {
        ("text/html; charset=utf-8", html(status, title, detail, request_id))
    };
    let mut head = ResponseHeader::build(status, Some(6))?;
    head.insert_header(CONTENT_TYPE, content_type)?;
    head.insert_header(CONTENT_LENGTH, body.len())?;
    head.insert_header(CACHE_CONTROL, "no-store")?;
    if let Some(seconds) = retry_after {
        head.insert_header(RETRY_AFTER, seconds)?;
    } else if matches!(status, 502..=504) && note == Note::None {
        head.insert_header(RETRY_AFTER, RETRY_SECONDS)?;
    }
    Ok((head, body.into()))
}

fn html(status: u16, title: &str, detail: &str, request_id: &str) -> String {
    // Request ids that clients send are checked for harmless characters before they come here.
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{status} {title}</title>\n\
         <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:36em;margin:15vh auto;padding:0 1em}}\
         small{{color:#666}}</style>\n\
         <h1>{title}</h1>\n<p>{detail}</p>\n<p><small>Request {request_id}</small></p>\n</html>\n"
    )
}

fn json(status: u16, title: &str, detail: &str, request_id: &str) -> String {
    let problem = serde_json::json!({
        "type": "about:blank", "title": title, "status": status, "detail": detail, "request_id": request_id,
    });
    format!("{problem}\n")
}

/// Whether the client would rather have JSON: it names JSON, and HTML not before it.
fn prefers_json(request: &HeaderMap) -> bool {
    let accept = request.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let position = |wanted: fn(&str) -> bool| {
        accept.split(',').position(|item| wanted(item.split(';').next().unwrap_or_default().trim()))
    };
    let json = position(|kind| kind == "application/json" || kind.ends_with("+json"));
    let html = position(|kind| kind == "text/html");
    json.is_some_and(|json| html.is_none_or(|html| json < html))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, http::HeaderValue::from_static(value))])
    }

    #[test]
    fn browsers_get_html_and_programs_that_ask_for_it_json() {
        for (accept, expected) in [
            ("application/json", true),
            ("application/problem+json, */*", true),
            ("application/json, text/html", true),
            ("text/html,application/xhtml+xml,application/json;q=0.9", false),
            ("*/*", false),
        ] {
            assert_eq!(prefers_json(&accepting(accept)), expected, "{accept}");
        }
    }

    #[test]
    fn a_page_says_when_to_try_again_only_if_that_is_harmless() {
        let (head, body) = page(502, Note::None, "r-1", &HeaderMap::new(), None).unwrap();
        assert_eq!(head.headers["retry-after"], "5");
        assert_eq!(head.headers["content-length"], body.len().to_string());
        assert!(std::str::from_utf8(&body).unwrap().contains("Request r-1"));
        let (head, _) = page(429, Note::None, "r-1", &HeaderMap::new(), Some(7)).unwrap();
        assert_eq!(head.headers["retry-after"], "7");
        let (head, _) = page(502, Note::Unrepeatable, "r-1", &HeaderMap::new(), None).unwrap();
        assert!(!head.headers.contains_key("retry-after"));
    }

    #[test]
    fn a_json_page_is_a_problem_document() {
        let (head, body) = page(504, Note::None, "r-1", &accepting("application/json"), None).unwrap();
        assert_eq!(head.headers["content-type"], "application/problem+json");
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((&problem["status"], &problem["request_id"]), (&504.into(), &"r-1".into()));
    }
}
