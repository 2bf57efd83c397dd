//! Percent-encoding and query strings as each Werkzeug version writes them.
//!
//! Source: `url_quote`, `_fast_url_quote`, `url_encode` of werkzeug/urls.py 1.0.1; `urllib.parse.quote` with the `safe`
//! sets of werkzeug/routing/rules.py and werkzeug/urls.py 2.3.8 and 3.1. The letters, digits and `-._~` are always safe.

use super::value::Value;
use crate::Profile;

/// What stays in variables up to 2.2.
pub(super) const PATH_10: &str = "/:";
/// What stays in static parts and redirects up to 2.2.
pub(super) const STATIC_10: &str = "/:|+";
/// What stays in paths from 2.3 on.
pub(super) const PATH: &str = "!$&'()*+,/:;=@";
const QUERY: &str = "!$'()*,/:;?@";
const ANCHOR: &str = "%!#$&'()*+,/:;=?@";

/// Percent-encodes all bytes of `text` but the safe ones.
pub(super) fn quote(text: &str, safe: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_quoted(&mut out, text, safe);
    out
}

/// The safe set for static parts and for redirects.
pub(super) fn static_safe(profile: Profile) -> &'static str {
    if profile == Profile::Werkzeug10 { STATIC_10 } else { PATH }
}

/// `#anchor` as Flask's `url_for` appends it.
pub(super) fn quote_anchor(anchor: &str, profile: Profile) -> String {
    quote(anchor, if profile == Profile::Werkzeug10 { PATH_10 } else { ANCHOR })
}

/// The query string of the values that a rule does not use; `None` is left out, a list repeats its key.
pub(super) fn encode_query(values: &[(&str, &Value)], profile: Profile) -> Result<String, String> {
    let safe = if profile == Profile::Werkzeug10 { "" } else { QUERY };
    let mut out = String::new();
    for (key, value) in values {
        let items =
            if let Value::List(items) = value { items.as_slice() } else { std::slice::from_ref(*value) };
        for item in items.iter().filter(|item| !matches!(item, Value::None)) {
            let text = item.to_text().ok_or_else(|| format!("the list in `{key}` holds a list"))?;
            if !out.is_empty() {
                out.push('&');
            }
            push_plus(&mut out, key, safe);
            out.push('=');
            push_plus(&mut out, &text, safe);
        }
    }
    Ok(out)
}

fn push_plus(out: &mut String, text: &str, safe: &str) {
    for (i, word) in text.split(' ').enumerate() {
        if i > 0 {
            out.push('+');
        }
        push_quoted(out, word, safe);
    }
}

fn push_quoted(out: &mut String, text: &str, safe: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || safe.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_queries_like_each_version() {
        let (text, list): (Value, Value) = ("a b/ü".into(), vec![1, 2].into());
        let values = [("q", &text), ("n", &list), ("gone", &Value::None)];
        assert_eq!(encode_query(&values, Profile::Werkzeug10).unwrap(), "q=a+b%2F%C3%BC&n=1&n=2");
        assert_eq!(encode_query(&values, Profile::Werkzeug23).unwrap(), "q=a+b/%C3%BC&n=1&n=2");
    }
}
