//! What a rehearsal sends: a list of request lines in a small file. Pure.
//!
//! ```text
//! # as the test user
//! Cookie: session=…
//! GET /customers/new
//! POST /customers/new name=Drill&csrf_token={csrf_token}
//! GET {location}
//! ```
//!
//! Header lines stand before the first request and go with all of them. `{csrf_token}` is the token of the last page that had
//! one, `{location}` the path of the last redirect.

use http::{HeaderName, HeaderValue, Method};

/// Longest journey.
const MOST: usize = 200;

/// A journey, as written.
#[derive(Debug, Clone, Default)]
pub struct Journey {
    /// Sent with every request.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The requests.
    pub lines: Vec<Line>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its line in the file, from 1.
    pub number: usize,
    /// The method.
    pub method: Method,
    /// Path and query, maybe `{location}`.
    pub path: String,
    /// The body: a form, or JSON if it begins like that.
    pub body: Option<String>,
}

impl Line {
    /// Whether it changes nothing.
    pub fn is_safe(&self) -> bool {
        matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The type of the body.
    pub fn content_type(&self) -> &'static str {
        let json = |body: &String| {
            body.starts_with('[') || (body.starts_with('{') && !body.starts_with("{csrf_token}"))
        };
        if self.body.as_ref().is_some_and(json) {
            "application/json"
        } else {
            "application/x-www-form-urlencoded"
        }
    }
}

/// Reads a journey.
///
/// # Errors
/// A sentence about the first line that makes no sense; it does not repeat the line, which may hold a password.
pub fn parse(text: &str) -> Result<Journey, String> {
    let mut journey = Journey::default();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        let wrong = |what: &str| format!("line {number} of the journey {what}");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (first, rest) = line.split_once(' ').ok_or_else(|| wrong("has no path: write `GET /path`"))?;
        if let Some(name) = first.strip_suffix(':') {
            if !journey.lines.is_empty() {
                return Err(wrong("is a header: headers stand before the first request"));
            }
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("has a bad header name"))?;
            let value = HeaderValue::from_str(rest.trim()).map_err(|_| wrong("has a bad header value"))?;
            journey.headers.push((name, value));
            continue;
        }
        let known = first.bytes().all(|byte| byte.is_ascii_uppercase());
        let method = Method::from_bytes(first.as_bytes()).ok().filter(|_| known);
        let method = method.ok_or_else(|| wrong("begins with no method, such as GET or POST"))?;
        let (path, body) = match rest.trim().split_once(' ') {
            Some((path, body)) => (path, Some(body.trim().to_owned())),
            None => (rest.trim(), None),
        };
        if !path.starts_with('/') && !path.starts_with("{location}") {
            return Err(wrong("has no path: it begins with `/` or is `{location}`"));
        }
        journey.lines.push(Line { number, method, path: path.to_owned(), body });
    }
    match journey.lines.len() {
        0..=MOST => Ok(journey),
        more => Err(format!("the journey has {more} requests, and {MOST} are the most")),
    }
}

/// The CSRF token of a page: in a form's field, or in a `meta`.
pub(super) fn csrf_token(page: &str) -> Option<String> {
    let mut rest = page;
    while let Some(at) = rest.find("csrf") {
        let (start, end) = (rest[..at].rfind('<'), rest[at..].find('>').map(|end| at + end));
        if let (Some(start), Some(end)) = (start, end) {
            let tag = &rest[start..end];
            let attribute = ["value=", "content="].iter().find_map(|name| tag.split_once(name));
            let quote = attribute.and_then(|(_, value)| value.chars().next());
            if let (Some((_, value)), Some(quote @ ('"' | '\''))) = (attribute, quote) {
                return value[1..].split(quote).next().map(str::to_owned);
            }
        }
        rest = &rest[at + 4..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journey_is_a_list_of_requests() {
        let text = "# test\nCookie: session=abc\n\nGET /customers/new\nPOST /customers/new name=A b&x=1\nGET {location}\n\
                    PUT /api/7 {\"a\": 1}\nPOST /x {csrf_token}\n";
        let journey = parse(text).unwrap();
        assert_eq!(journey.headers.len(), 1);
        let lines: Vec<_> = journey.lines.iter().map(|line| (line.number, line.path.as_str())).collect();
        assert_eq!(
            lines,
            [(4, "/customers/new"), (5, "/customers/new"), (6, "{location}"), (7, "/api/7"), (8, "/x")]
        );
        assert_eq!(journey.lines[1].body.as_deref(), Some("name=A b&x=1"));
        let types: Vec<_> = journey.lines[3..].iter().map(Line::content_type).collect();
        assert_eq!(types, ["application/json", "application/x-www-form-urlencoded"]);
        assert!(journey.lines[0].is_safe() && !journey.lines[1].is_safe());
    }

    #[test]
    fn what_makes_no_sense_is_named_by_its_line_and_not_repeated() {
        let cases = [
            ("GET", "line 1 of the journey has no path: write `GET /path`"),
            ("get /a", "line 1 of the journey begins with no method, such as GET or POST"),
            ("GET a", "line 1 of the journey has no path: it begins with `/` or is `{location}`"),
            (
                "GET /a\nCookie: secret",
                "line 2 of the journey is a header: headers stand before the first request",
            ),
            ("Coo kie: x", "line 1 of the journey begins with no method, such as GET or POST"),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err(), expected);
        }
    }

    #[test]
    fn tokens_are_found_in_forms_and_in_heads() {
        let cases = [
            ("<input id=\"csrf_token\" name=\"csrf_token\" type=\"hidden\" value=\"abc.d\">", Some("abc.d")),
            ("<p>csrf</p><meta name='csrf-token' content='x'>", Some("x")),
            ("<input value=\"v\" name=\"csrf_token\">", Some("v")),
            ("<p>csrf_token</p>", None),
        ];
        for (page, expected) in cases {
            assert_eq!(csrf_token(page).as_deref(), expected, "{page}");
        }
    }
}
