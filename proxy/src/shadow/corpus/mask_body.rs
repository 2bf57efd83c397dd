//! Masks requests and answers: forms, JSON, HTML, headers. The same code masks what was recorded and what a replay got, so
//! that both can be compared.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::mask::{Masker, is_csrf_name, is_login_name, is_secret_name};
use super::{Exchange, Recorded};

/// Headers of a request that are written; the others belong to a connection, a client or a person.
const REQUEST: &[&str] = &[
    "accept",
    "accept-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
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
/// Attributes that hold texts.
const TEXTS: &[&str] =
    &["value", "title", "alt", "placeholder", "content", "aria-label", "label", "summary", "srcdoc"];
/// Attributes that hold addresses.
const ADDRESSES: &[&str] = &["href", "action", "src", "formaction", "cite", "data", "poster"];

/// Names and values of a form or a query, decoded.
type Pairs = Vec<(String, Option<String>)>;

impl Masker {
    /// A request, without secrets and with masks.
    pub fn request(&self, exchange: &Exchange) -> Exchange {
        let mut out =
            Exchange { target: self.target(&exchange.target), headers: Vec::new(), ..exchange.clone() };
        for (name, value) in &exchange.headers {
            let lower = name.to_ascii_lowercase();
            if lower == "authorization" {
                out.headers.push((name.clone(), self.authorization(value)));
            } else if is_csrf_name(&lower) {
                out.headers.push((name.clone(), "{{csrf}}".to_owned()));
            } else if matches!(lower.as_str(), "referer" | "origin") {
                out.headers.push((name.clone(), self.address(value)));
            } else if REQUEST.contains(&lower.as_str()) {
                out.headers.push((name.clone(), value.clone()));
            }
        }
        let media = exchange.header("content-type").unwrap_or_default().to_ascii_lowercase();
        out.body = if exchange.body.is_empty() {
            Vec::new()
        } else if media.contains("urlencoded") {
            self.form(&String::from_utf8_lossy(&exchange.body)).into_bytes()
        } else if media.contains("json") {
            match serde_json::from_slice(&exchange.body) {
                Ok(document) => self.document("", document, true).to_string().into_bytes(),
                Err(_) => self.fingerprint(&exchange.body).into_bytes(),
            }
        } else if media.starts_with("text/") {
            self.text(&String::from_utf8_lossy(&exchange.body)).into_bytes()
        } else {
            self.fingerprint(&exchange.body).into_bytes()
        };
        out
    }

    /// Remembers what a request of a corpus sends: answers will show it again.
    pub fn learn_request(&mut self, exchange: &Exchange) {
        let query = exchange.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let form = if exchange.is_form() { String::from_utf8_lossy(&exchange.body) } else { "".into() };
        for (_, value) in pairs(query).into_iter().chain(pairs(&form)) {
            self.learn_mask(value.as_deref().unwrap_or_default());
        }
        if !exchange.is_form() {
            self.learn_mask(&String::from_utf8_lossy(&exchange.body));
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
                _ => by_form(value),
            };
            headers.push((name.clone(), value));
        }
        let media = answer.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let media = media.map(|(_, value)| value.to_ascii_lowercase()).unwrap_or_default();
        let text = std::str::from_utf8(&answer.body);
        let body = match text {
            _ if answer.body.is_empty() => Vec::new(),
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
            Some((path, query)) => format!("{}?{}", by_form(path), self.form(query)),
            None => by_form(target),
        }
    }

    /// An address in a page or a header.
    fn address(&self, address: &str) -> String {
        let (address, fragment) = address.split_once('#').map_or((address, None), |(a, f)| (a, Some(f)));
        let masked = match address.split_once(':') {
            Some(("mailto" | "tel", _)) => self.text(address),
            _ => self.target(address),
        };
        fragment.map_or(masked.clone(), |fragment| format!("{masked}#{fragment}"))
    }

    /// Names and values, as a form or a query has them.
    fn form(&self, text: &str) -> String {
        let pairs = pairs(text);
        let has_password = pairs.iter().any(|(name, _)| name.to_ascii_lowercase().contains("passw"));
        let login = pairs.iter().find(|(name, _)| has_password && is_login_name(name));
        let login_value = login.and_then(|(_, value)| value.clone());
        let person = login_value.as_deref().map_or_else(|| "self".to_owned(), |login| self.reference(login));
        let shown = |(name, value): (String, Option<String>)| {
            let Some(value) = value else { return encode(&name) };
            let masked = if value.is_empty() {
                String::new()
            } else if is_csrf_name(&name) {
                "{{csrf}}".to_owned()
            } else if name.to_ascii_lowercase().contains("passw") {
                format!("{{{{password {person}}}}}")
            } else if login_value.as_deref() == Some(&value) && is_login_name(&name) {
                format!("{{{{login {person}}}}}")
            } else if is_secret_name(&name) {
                format!("{{{{token {}}}}}", self.reference(&value))
            } else if looks_secret(&value) {
                format!("{{{{field {name}}}}}")
            } else {
                self.value(&name, &value)
            };
            format!("{}={}", encode(&name), encode(&masked))
        };
        pairs.into_iter().map(shown).collect::<Vec<_>>().join("&")
    }

    fn document(&self, name: &str, value: Value, is_request: bool) -> Value {
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
            other => other,
        }
    }

    fn html(&mut self, page: &str) -> String {
        static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r#"(?s)<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)\s*>|<[a-zA-Z/!](?:"[^"]*"|'[^']*'|[^"'>])*>"#).ok()
        });
        let Some(tags) = TAG.as_ref() else { return self.fingerprint(page.as_bytes()) };
        for found in tags.find_iter(page) {
            self.learn_choice(found.as_str());
        }
        let mut out = String::with_capacity(page.len());
        let mut rest = 0;
        for found in tags.find_iter(page) {
            out.push_str(&self.between(&page[rest..found.start()]));
            out.push_str(&self.tag(found.as_str()));
            rest = found.end();
        }
        out.push_str(&self.between(&page[rest..]));
        out
    }

    /// `<option value>`, radio buttons, boxes and buttons: a replay must send what they offer.
    fn learn_choice(&mut self, tag: &str) {
        let lower = tag.to_ascii_lowercase();
        let choice = lower.starts_with("<option")
            || lower.starts_with("<button")
            || (lower.starts_with("<input")
                && ["radio", "checkbox", "hidden", "submit"]
                    .iter()
                    .any(|kind| lower.contains(&format!("type=\"{kind}\""))));
        if let Some(value) = choice.then(|| attribute(tag, "value")).flatten()
            && !looks_secret(&value)
        {
            self.learn_code(&value);
        }
    }

    /// Text, entities left as they are.
    fn between(&self, text: &str) -> String {
        static ENTITY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"&#?[a-zA-Z0-9]{1,31};").ok());
        let Some(entities) = ENTITY.as_ref() else { return self.text(text) };
        let mut out = String::new();
        let mut rest = 0;
        for found in entities.find_iter(text) {
            out.push_str(&self.text(&text[rest..found.start()]));
            out.push_str(found.as_str());
            rest = found.end();
        }
        out.push_str(&self.text(&text[rest..]));
        out
    }

    fn tag(&self, tag: &str) -> String {
        static ATTRIBUTE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r#"(?s)(\s)([a-zA-Z_:][-a-zA-Z0-9_:.]*)(\s*=\s*)(?:"([^"]*)"|'([^']*)')"#).ok()
        });
        let lower = tag.to_ascii_lowercase();
        if lower.starts_with("<!--") {
            return String::new();
        }
        if lower.starts_with("<script") || lower.starts_with("<style") {
            return match tag.split_once('>') {
                Some((open, rest)) if rest.len() > "</script>".len() => {
                    format!(
                        "{}>{}</script>",
                        self.tag(&format!("{open} ")).trim_end(),
                        self.fingerprint(rest.as_bytes())
                    )
                }
                _ => tag.to_owned(),
            };
        }
        let name = attribute(tag, "name").unwrap_or_default();
        let Some(attributes) = ATTRIBUTE.as_ref() else { return String::new() };
        let masked = |found: &Captures<'_>| {
            let value = found.get(4).or_else(|| found.get(5)).map(|value| value.as_str()).unwrap_or_default();
            let key = found[2].to_ascii_lowercase();
            let value = if matches!(key.as_str(), "value" | "content") && is_csrf_name(&name) {
                "{{csrf}}".to_owned()
            } else if key == "value" && is_secret_name(&name) && !value.is_empty() {
                "{{secret}}".to_owned()
            } else if key == "value" && looks_secret(value) {
                format!("{{{{field {name}}}}}")
            } else if key == "value" && self.codes.contains(value) {
                value.to_owned()
            } else if TEXTS.contains(&key.as_str()) {
                self.between(value)
            } else if ADDRESSES.contains(&key.as_str()) {
                self.address(&value.replace("&amp;", "&")).replace('&', "&amp;")
            } else {
                by_form(value)
            };
            format!("{}{}{}\"{value}\"", &found[1], &found[2], &found[3])
        };
        attributes.replace_all(tag, masked).into_owned()
    }
}

/// The value of an attribute in a tag.
pub(in crate::shadow) fn attribute(tag: &str, name: &str) -> Option<String> {
    static ATTRIBUTE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?s)\s([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).ok());
    let found = ATTRIBUTE.as_ref()?.captures_iter(tag).find(|found| found[1].eq_ignore_ascii_case(name))?;
    let value = found.get(2).or_else(|| found.get(3))?.as_str();
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (from, to)| value.replace(from, to)))
}

/// A token: long, without blanks, letters and digits mixed.
fn looks_secret(value: &str) -> bool {
    value.len() >= 20
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=+/".contains(&byte))
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// What looks like an address of mail or a token is hidden, the rest stays.
fn by_form(text: &str) -> String {
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

pub(in crate::shadow) fn pairs(text: &str) -> Pairs {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(pair), None),
        })
        .collect()
}

/// As forms encode; `{{..}}` stays readable.
pub(in crate::shadow) fn encode(text: &str) -> String {
    if text.starts_with("{{") && text.ends_with("}}") {
        return text.to_owned();
    }
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            byte if byte.is_ascii_alphanumeric() || b"-._*".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
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
