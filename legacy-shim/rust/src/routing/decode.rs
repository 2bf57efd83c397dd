//! From the path as sent to the path as matched: what the WSGI server and Werkzeug do to it.
//!
//! Percent escapes become bytes, bytes become text with U+FFFD for what is not UTF-8 (gunicorn's `unquote_to_wsgi_str`,
//! Werkzeug's `wsgi_decoding_dance`), several slashes at the start become one (`MapAdapter.match`). Malformed escapes and
//! `+` stay. The usual path has no escapes and is borrowed.

use std::borrow::Cow;

/// The path that rules are matched with: empty, or with one slash at the start.
pub(super) fn path_info(raw: &str) -> Cow<'_, str> {
    let decoded = if raw.contains('%') { Cow::Owned(unquote(raw)) } else { Cow::Borrowed(raw) };
    let rest = decoded.trim_start_matches('/');
    let slashes = decoded.len() - rest.len();
    match (slashes, decoded) {
        (1, decoded) => decoded,
        (0, decoded) if decoded.is_empty() => decoded,
        (0, decoded) => Cow::Owned(format!("/{decoded}")),
        (_, Cow::Borrowed(text)) => Cow::Borrowed(&text[slashes - 1..]),
        (_, Cow::Owned(text)) => Cow::Owned(text[slashes - 1..].to_owned()),
    }
}

fn unquote(raw: &str) -> String {
    let bytes = raw.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        match digits.and_then(|digits| Some(hex(digits[0])? << 4 | hex(digits[1])?)) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::path_info;

    #[test]
    fn decodes_like_a_wsgi_server() {
        let cases = [
            ("", ""),
            ("/", "/"),
            ("///a//b", "/a//b"),
            ("*", "/*"),
            ("/a%2Fb%zz%4", "/a/b%zz%4"),
            ("%2F%2fa", "/a"),
            ("/%c3%bc+%ff", "/ü+\u{fffd}"),
        ];
        for (raw, path) in cases {
            assert_eq!(path_info(raw), path);
        }
    }
}
