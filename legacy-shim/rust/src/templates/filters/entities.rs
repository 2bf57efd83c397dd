//! `html.unescape`: the entities of HTML 5 that end with a semicolon, and numbers.

use std::collections::HashMap;
use std::sync::OnceLock;

/// Name and code points of every entity, a line each; from Python's `html.entities.html5`.
const NAMES: &str = include_str!("entities.txt");

fn named(name: &str) -> Option<&'static str> {
    static KNOWN: OnceLock<HashMap<&str, String>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| {
        let text = |codes: &str| -> String {
            let codes = codes.split(' ').filter_map(|code| u32::from_str_radix(code, 16).ok());
            codes.filter_map(char::from_u32).collect()
        };
        NAMES
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, codes)| (name, text(codes)))
            .collect()
    });
    known.get(name).map(String::as_str)
}

fn numbered(digits: &str) -> Option<char> {
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok()?,
        None => digits.parse().ok()?,
    };
    Some(char::from_u32(code).filter(|c| *c != '\0').unwrap_or(char::REPLACEMENT_CHARACTER))
}

/// Text without entities.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.char_indices().take(40).find(|(_, c)| *c == ';').map(|(at, _)| at);
        let inside = end.map(|end| &rest[1..end]);
        let one = inside.and_then(|inside| inside.strip_prefix('#')).and_then(numbered);
        match (inside.and_then(named), one, end) {
            (Some(text), _, Some(end)) => {
                out.push_str(text);
                rest = &rest[end + 1..];
            }
            (None, Some(c), Some(end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_resolved_once() {
        assert_eq!(
            unescape("&amp;lt; &eacute;&#8364;&#x20AC; &nope; & &; &lt"),
            "&lt; \u{e9}\u{20ac}\u{20ac} &nope; & &; &lt"
        );
    }
}
