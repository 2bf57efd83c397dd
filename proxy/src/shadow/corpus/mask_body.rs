//! Masks requests and answers: JSON, headers, addresses; forms are in `mask_form`, pages in `mask_html`. The same code masks what
//! was recorded and what a replay got, so that both can be compared.

use serde_json::Value;

use super::conditions::{condition, is_condition};
use super::mask::{Masker, is_csrf_name, is_secret_name};
use super::multipart;
use super::{Exchange, Recorded, synthetic};

/// Headers of a request that are written; the others belong to a connection, a client or a person.
const REQUEST: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "origin",
    "range",
    "referer",
    "x-requested-with",
];
/// Headers of an answer that are not written: they belong to a connection or a moment.
const NOT_ANSWER: &[&str] = &[
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "server",
    "transfer-encoding",
    "x-request-id",
    "traceparent",
];
/// Headers of an answer that hold nobody's data, whoever asks.
const PLAIN_ANSWER: &[&str] = &[
    "accept-ranges",
    "allow",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "expires",
    "last-modified",
    "pragma",
    "referrer-policy",
    "retry-after",
    "strict-transport-security",
    "vary",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
];

impl Masker {
    /// A request, without secrets and with masks, and without its answer. The status of that one tells what the client had
    /// kept.
    pub fn request(&self, exchange: &Exchange) -> Exchange {
        let mut out = Exchange {
            target: self.target(&exchange.target),
            headers: Vec::new(),
            body: Vec::new(),
            answer: None,
            ..exchange.clone()
        };
        let content_type = exchange.header("content-type").unwrap_or_default();
        let parts =
            multipart::is_multipart(content_type).then(|| multipart::read(content_type, &exchange.body));
        let status = exchange.answer.as_ref().map(|answer| answer.status);
        for (name, value) in &exchange.headers {
            let lower = name.to_ascii_lowercase();
            let value = match lower.as_str() {
                "authorization" => self.authorization(value),
                name if is_csrf_name(name) => "{{csrf}}".to_owned(),
                name if self.live && is_condition(name) => condition(name, value, status),
                "referer" | "origin" => self.address(value),
                "content-type" if parts.is_some() => {
                    format!("multipart/form-data; boundary={}", multipart::BOUNDARY)
                }
                name if REQUEST.contains(&name) => value.clone(),
                _ => continue,
            };
            out.headers.push((name.clone(), value));
        }
        out.body = match parts {
            _ if exchange.body.is_empty() => Vec::new(),
            Some(Some(parts)) => self.parts(parts),
            _ => self.request_body(content_type, &exchange.body),
        };
        out
    }

    fn request_body(&self, content_type: &str, body: &[u8]) -> Vec<u8> {
        let media = content_type.to_ascii_lowercase();
        if media.contains("urlencoded") {
            self.form(&String::from_utf8_lossy(body)).into_bytes()
        } else if media.contains("json") {
            match serde_json::from_slice(body) {
                Ok(document) => self.document("", document, true).to_string().into_bytes(),
                Err(_) => self.fingerprint(body).into_bytes(),
            }
        } else if media.starts_with("text/") {
            self.text(&String::from_utf8_lossy(body)).into_bytes()
        } else if self.live {
            synthetic::reference(self, Some(&media), body).into_bytes()
        } else {
            self.fingerprint(body).into_bytes()
        }
    }

    /// An answer, without secrets and with masks. Codes that it offers for choice are remembered.
    pub fn answer(&mut self, answer: &Recorded) -> Recorded {
        let mut headers = Vec::new();
        for (name, value) in &answer.headers {
            let lower = name.to_ascii_lowercase();
            if NOT_ANSWER.contains(&lower.as_str()) || lower.starts_with("x-ficus-") {
                continue;
            }
            let value = match lower.as_str() {
                "location" | "content-location" => self.address(value),
                "set-cookie" => cookie(value),
                "etag" => "\"{{etag}}\"".to_owned(),
                "content-disposition" | "link" | "refresh" => self.text(value),
                plain if self.live && !PLAIN_ANSWER.contains(&plain) => self.text(value),
                _ => by_form(value),
            };
            headers.push((name.clone(), value));
        }
        let media = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media = media.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default();
        let text = std::str::from_utf8(&answer.body);
        let sent =
            (!self.files.is_empty()).then(|| self.files.get(&self.fingerprint(&answer.body))).flatten();
        let body = match text {
            _ if answer.body.is_empty() => Vec::new(),
            _ if sent.is_some() => sent.cloned().unwrap_or_default().into_bytes(),
            Ok(text) if media.contains("html") => self.html(text).into_bytes(),
            Ok(text) if media.contains("json") => match serde_json::from_str(text) {
                Ok(document) => self.document("", document, false).to_string().into_bytes(),
                Err(_) => self.fingerprint(&answer.body).into_bytes(),
            },
            Ok(text) if media.starts_with("text/plain") || media.starts_with("text/csv") => {
                self.text(text).into_bytes()
            }
            _ => self.fingerprint(&answer.body).into_bytes(),
        };
        Recorded { status: answer.status, headers, body }
    }

    fn authorization(&self, value: &str) -> String {
        match value.split_once(' ') {
            Some((scheme, secret)) => format!("{scheme} {{{{token {}}}}}", self.reference(secret)),
            None => format!("{{{{token {}}}}}", self.reference(value)),
        }
    }

    /// Path and query.
    fn target(&self, target: &str) -> String {
        match target.split_once('?') {
            Some((path, query)) => format!("{}?{}", self.path(path), self.form(query)),
            None => self.path(target),
        }
    }

    /// A path, with a host in front of it or without.
    fn path(&self, path: &str) -> String {
        if !self.live {
            return by_form(path);
        }
        let (host, path) = match path.find("://").map(|at| at + 3) {
            Some(start) => path.split_at(path[start..].find('/').map_or(path.len(), |slash| start + slash)),
            None => ("", path),
        };
        let segments: Vec<String> = path.split('/').map(|segment| self.segment(segment)).collect();
        format!("{}{}", self.text(host), segments.join("/"))
    }

    /// An address in a page or a header.
    pub(super) fn address(&self, address: &str) -> String {
        let (address, fragment) = address.split_once('#').map_or((address, None), |(a, f)| (a, Some(f)));
        let masked = match address.split_once(':') {
            Some(("mailto" | "tel", _)) => self.text(address),
            _ => self.target(address),
        };
        fragment.map_or(masked.clone(), |fragment| format!("{masked}#{fragment}"))
    }

    pub(super) fn document(&self, name: &str, value: Value, is_request: bool) -> Value {
        match value {
            Value::String(text) if is_csrf_name(name) && !text.is_empty() => {
                Value::String("{{csrf}}".to_owned())
            }
            Value::String(text) if is_secret_name(name) && !text.is_empty() => {
                Value::String(format!("{{{{token {}}}}}", self.reference(&text)))
            }
            Value::String(text) if looks_secret(&text) => Value::String("{{secret}}".to_owned()),
            Value::String(text) if is_request => Value::String(self.value(name, &text)),
            // The same rule as for requests: what one sends, the other shows.
            Value::String(text) => Value::String(self.value(name, &text)),
            Value::Array(items) => {
                items.into_iter().map(|item| self.document(name, item, is_request)).collect()
            }
            Value::Object(map) => Value::Object(
                map.into_iter()
                    .map(|(key, value)| {
                        let value = self.document(&key, value, is_request);
                        let key =
                            if crate::shadow::mask::is_plain_name(&key) { key } else { self.text(&key) };
                        (key, value)
                    })
                    .collect(),
            ),
            Value::Number(number) => match self.number(name, &number.to_string()) {
                Some(masked) => serde_json::from_str(&masked).unwrap_or(Value::String(masked)),
                None => Value::Number(number),
            },
            other => other,
        }
    }
}

/// A token: long, without blanks, letters and digits mixed.
pub(super) fn looks_secret(value: &str) -> bool {
    value.len() >= 20
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+/".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// What looks like an address of mail or a token is hidden, the rest stays.
pub(super) fn by_form(text: &str) -> String {
    crate::shadow::mask::scrub_marked(text)
}

/// `name={{cookie}}; HttpOnly; Path=/`.
fn cookie(line: &str) -> String {
    let (pair, attributes) = line.split_once(';').map_or((line, ""), |(pair, rest)| (pair, rest));
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = if value.is_empty() { "" } else { "{{cookie}}" };
    let attributes: Vec<&str> = attributes
        .split(';')
        .map(str::trim)
        // A moment; what deletes a cookie says so by `Max-Age=0` or an empty value.
        .filter(|attribute| !attribute.is_empty() && !attribute.to_ascii_lowercase().starts_with("expires="))
        .collect();
    let rest: String = attributes.iter().map(|attribute| format!("; {attribute}")).collect();
    format!("{name}={value}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker() -> Masker {
        Masker::new(b"key", ["name", "customers", "save", "food", "drink"].map(str::to_owned).into())
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn secrets_of_requests_become_references() {
        let masker = masker();
        let exchange = Exchange {
            method: "POST".to_owned(),
            target: "/auth/login?next=%2Fcustomers&q=Kowalski".to_owned(),
            headers: vec![
                header("Content-Type", "application/x-www-form-urlencoded"),
                header("Cookie", "session=eyJhbGciOi"),
                header("Authorization", "Bearer s3cr3t"),
                header("X-CSRFToken", "abc"),
                header("User-Agent", "Ana's browser"),
            ],
            body: b"csrf_token=abc&email=ana%40example.com&password=hunter2&remember=y".to_vec(),
            ..Exchange::default()
        };
        let masked = masker.request(&exchange);
        let ana = masker.reference("ana@example.com");
        let body = String::from_utf8(masked.body.clone()).unwrap();
        assert_eq!(
            body,
            format!(
                "csrf_token={{{{csrf}}}}&email={{{{login {ana}}}}}&password={{{{password {ana}}}}}&remember=y"
            )
        );
        let all = format!("{masked:?}");
        for secret in ["hunter2", "ana@", "Ana", "s3cr3t", "eyJ", "Kowalski", "Cookie"] {
            assert!(!all.contains(secret), "{secret}: {all}");
        }
        assert!(
            masked.target.starts_with("/auth/login?next=%2F") && masked.target.contains("&q="),
            "{}",
            masked.target
        );
    }

    #[test]
    fn pages_keep_their_structure_and_lose_their_people() {
        let mut masker = masker();
        let page = "<title>Customers</title><!-- ana --><p class=\"x\">Ana O&#39;Hara &amp; Söhne</p>\
            <meta name=\"csrf-token\" content=\"IjI0.abc.def\"><input type=\"hidden\" name=\"csrf_token\" value=\"Ij\">\
            <select><option value=\"Food &amp; Drink\">Food &amp; Drink</option></select>\
            <a href=\"/customers/7?q=Hara&amp;page=2\" title=\"Hara\">mail <a href=\"mailto:ana@example.com\">x</a>\
            <script>var user = 'Ana';</script>";
        let answer = Recorded {
            status: 200,
            headers: vec![
                header("Content-Type", "text/html; charset=utf-8"),
                header("Set-Cookie", "session=abc; Expires=Thu, 01 Jan 2026 00:00:00 GMT; HttpOnly; Path=/"),
                header("Date", "now"),
            ],
            body: page.as_bytes().to_vec(),
        };
        let masked = masker.answer(&answer);
        let text = String::from_utf8(masked.body.clone()).unwrap();
        for secret in ["Ana", "ana@", "Hara", "Söhne", "IjI0", "\"Ij\""] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        for kept in [
            "<title>Customers</title>",
            "class=\"x\"",
            "value=\"Food &amp; Drink\"",
            "page=2",
            "/customers/7?q=",
        ] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(masked.headers[1].1, "session={{cookie}}; HttpOnly; Path=/");
        assert_eq!(masked.headers.len(), 2);
        assert_eq!(masker.value("industry", "Food & Drink"), "Food & Drink");
    }

    #[test]
    fn users_traffic_hides_what_hides_in_attributes_paths_and_headers() {
        let mut masker = masker().live();
        masker.learn_host("crm.test:8080");
        let page = "<p class=\"x\" data-person=\"kowalski\" title=Kowalski onclick='call(\"kowalski\")'>x</p>\
            <a href=\"/customers/by/Kowalski/7\">x</a><option value=\"kowalski\"><a href=\"https://kowalski.example/\">x</a>";
        let answer = Recorded {
            status: 200,
            headers: vec![
                header("Content-Type", "text/html"),
                header("X-Person", "kowalski"),
                header("Location", "http://crm.test/customers/kowalski?q=kowalski"),
            ],
            body: page.as_bytes().to_vec(),
        };
        let masked = masker.answer(&answer);
        let text = format!("{:?} {}", masked.headers, String::from_utf8_lossy(&masked.body));
        assert!(!text.to_lowercase().contains("kowalski"), "{text}");
        for kept in ["class=\\\"x", "/customers/", "/7", "http://crm.test/customers/", "X-Person"] {
            let kept = kept.replace("\\\"", "\"");
            assert!(text.contains(&kept), "{kept}: {text}");
        }
        let request = Exchange {
            target: "/customers/kowalski".to_owned(),
            headers: vec![header("If-None-Match", "\"kowalski\""), header("If-Match", "\"kowalski\"")],
            ..Exchange::default()
        };
        let masked = masker.request(&request);
        assert_eq!(masked.headers, [header("If-None-Match", "\"another\""), header("If-Match", "{{etag}}")]);
        let answer = Some(Recorded { status: 304, ..Recorded::default() });
        let masked = masker.request(&Exchange { answer, ..request });
        assert_eq!(masked.headers[0], header("If-None-Match", "{{etag}}"));
        assert_eq!(masked.answer, None);
        assert!(!masked.target.contains("kowalski"));
    }

    #[test]
    fn documents_are_masked_by_their_keys() {
        let mut masker = masker();
        let answer = Recorded {
            status: 200,
            headers: vec![header("Content-Type", "application/json")],
            body: br#"{"id":7,"name":"Ana","status":"active","token":"abc","total":"12.50","mail":"a@b.ch"}"#
                .to_vec(),
        };
        let masked = String::from_utf8(masker.answer(&answer).body).unwrap();
        assert!(masked.contains(r#""id":7"#) && masked.contains(r#""status":"active""#), "{masked}");
        assert!(
            masked.contains(r#""total":"12.50""#) && !masked.contains("Ana") && !masked.contains("abc"),
            "{masked}"
        );
        assert!(!masked.contains("a@b.ch"), "{masked}");
    }
}
