//! The request that the handler got, as the channel tells it to Flask: the client's headers, and one header for what the
//! channel may not send under its own name (Flask's side refuses whatever looks as if it came through a proxy).

use std::fmt;

use http::header::{CONNECTION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::python::push_json_string;

/// What belongs to a connection or to a body, and what a question through the channel has no use for.
const DROPPED: [&str; 15] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "keep-alive",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-real-ip",
];
const DROPPED_PREFIXES: [&str; 5] = ["if-", "proxy-", "x-ficus-", "x-forwarded-", "x-legacy-shim-"];

/// A request on whose behalf Flask is asked.
#[derive(Clone)]
pub struct Caller {
    headers: HeaderMap,
}

impl fmt::Debug for Caller {
    /// Cookies are nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller").finish_non_exhaustive()
    }
}

impl Caller {
    /// The caller of a request: its method, its target (`/path?query` as it came) and its headers, with the
    /// `X-Forwarded-For`, `-Proto` and `-Host` of the proxy.
    #[must_use]
    pub fn new(method: &str, target: &str, headers: &HeaderMap) -> Self {
        let mut origin = String::from("{");
        let forwarded = |name: &str| headers.get(name).map(|value| latin1(value.as_bytes()));
        let entries = [
            ("method", Some(method.to_owned())),
            ("target", Some(target.to_owned())),
            ("for", joined(headers, "x-forwarded-for")),
            ("proto", forwarded("x-forwarded-proto")),
            ("host", forwarded("x-forwarded-host")),
        ];
        for (key, value) in entries {
            let Some(value) = value else { continue };
            if origin.len() > 1 {
                origin.push(',');
            }
            push_json_string(&mut origin, key, true);
            origin.push(':');
            push_json_string(&mut origin, &value, true);
        }
        origin.push('}');
        let mut passed: HeaderMap =
            headers.iter().filter(|(name, _)| passes(name)).map(|(n, v)| (n.clone(), v.clone())).collect();
        // ASCII: the JSON above escapes everything else.
        if let Ok(origin) = HeaderValue::from_str(&origin) {
            passed.insert("x-legacy-shim-origin", origin);
        }
        passed.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        passed.insert(CONNECTION, HeaderValue::from_static("close"));
        Self { headers: passed }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}

fn passes(name: &HeaderName) -> bool {
    let name = name.as_str();
    // WSGI cannot tell `-` from `_`.
    !name.contains('_')
        && !DROPPED.contains(&name)
        && !DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values: Vec<String> = headers.get_all(name).iter().map(|value| latin1(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_speak_for_the_channel() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", "session=1"),
            ("user-agent", "agent"),
            ("authorization", "Basic x"),
            ("host", "crm.example.com"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-proto", "https"),
            ("x-legacy-shim-authorization", "Bearer x"),
            ("x-legacy-shim-origin", "{}"),
            ("x_legacy_shim_origin", "{}"),
            ("transfer-encoding", "chunked"),
            ("content-length", "7"),
            ("via", "1.1 x"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let caller = Caller::new("POST", "/a?b=\"", &headers);
        let mut names: Vec<&str> = caller.headers().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["authorization", "connection", "cookie", "host", "user-agent", "x-legacy-shim-origin"]
        );
        assert_eq!(
            caller.headers()["x-legacy-shim-origin"],
            r#"{"method":"POST","target":"/a?b=\"","for":"203.0.113.9","proto":"https"}"#
        );
        assert!(!format!("{caller:?}").contains("session"));
    }
}
