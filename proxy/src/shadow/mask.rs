//! What is kept of a value: its shape.
//!
//! Letters become `x` and `X`, digits `9`; everything else stays. So `Nov 2, 2026` against `Nov 02, 2026` still shows
//! what is wrong, and nobody's name, address, number, token or text is stored. Names in paths (keys of JSON, classes)
//! are kept if a programmer would have written them.

use std::sync::LazyLock;

use regex::Regex;

/// Longest name that is kept.
const LONGEST_NAME: usize = 48;

/// The shape of a text.
pub fn shape(text: &str) -> String {
    text.chars().map(shape_of).collect()
}

fn shape_of(c: char) -> char {
    if c.is_numeric() {
        '9'
    } else if c.is_uppercase() {
        'X'
    } else if c.is_alphanumeric() || !c.is_ascii() {
        'x'
    } else {
        c
    }
}

/// The shape of a JSON document's scalar: words of the language stay.
pub fn json_scalar(text: &str) -> String {
    if matches!(text, "null" | "true" | "false" | "NaN" | "Infinity" | "-Infinity") {
        text.to_owned()
    } else {
        shape(text)
    }
}

/// Whether a name was written by a programmer rather than by a user: lower case first, no blanks, no long numbers.
pub fn is_plain_name(name: &str) -> bool {
    let mut digits = 0;
    let calm = name.chars().all(|c| {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        digits < 4 && (c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    });
    calm && name.len() <= LONGEST_NAME && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
}

/// A name as it may be stored.
pub fn name(name: &str) -> String {
    if is_plain_name(name) { name.to_owned() } else { shape(name) }
}

/// A number stays, and so do the columns of a key: `1`, `mail=xxx@xxxxxxx.xxx`.
pub fn key(text: &str) -> String {
    if text.len() < 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let part = |part: &str| match part.split_once('=') {
        Some((column, value)) => format!("{}={}", name(column), shape(value)),
        None => shape(part),
    };
    text.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// A value that a route wants to see: readable, but for what looks like an address, a long number or a token.
pub fn scrub(text: &str) -> String {
    static SUSPECT: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"[^\s@<>]+@[^\s@<>]+|\+?[0-9][0-9 ()/.-]{5,}[0-9]|[A-Za-z0-9_.=/+-]{20,}").ok()
    });
    match SUSPECT.as_ref() {
        Some(suspect) => {
            suspect.replace_all(text, |found: &regex::Captures<'_>| shape(&found[0])).into_owned()
        }
        None => shape(text),
    }
}

/// A text that a program wrote, such as a path: what looks like an address of mail or a token is replaced by its kind.
pub fn scrub_marked(text: &str) -> String {
    static SUSPECT: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"[^\s@<>/?&=]+(?:@|%40)[^\s@<>/?&=]+|[A-Za-z0-9_.=+-]{32,}").ok());
    match SUSPECT.as_ref() {
        Some(suspect) => {
            suspect.replace_all(text, |found: &regex::Captures<'_>| shape(&found[0])).into_owned()
        }
        None => shape(text),
    }
}

/// A query string with its values masked: `q=xxxxxx&page=9`.
pub fn query(query: &str) -> String {
    let pair = |pair: &str| match pair.split_once('=') {
        Some((key, value)) => format!("{}={}", name(key), shape(value)),
        None => name(pair),
    };
    query.split('&').map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_show_form_and_no_content() {
        for (text, expected) in [
            ("Nov 2, 2026", "Xxx 9, 9999"),
            ("ana@example.com", "xxx@xxxxxxx.xxx"),
            ("+41 44 668 18 00", "+99 99 999 99 99"),
            ("Zürich 八", "Xxxxxx x"),
            ("", ""),
        ] {
            assert_eq!(shape(text), expected);
        }
        assert_eq!(json_scalar("null"), "null");
        assert_eq!(json_scalar("\"Ana\""), "\"Xxx\"");
    }

    #[test]
    fn names_of_programs_stay_and_names_of_people_do_not() {
        for kept in ["total", "last-contact", "_user_id", "col2", "createdAt"] {
            assert_eq!(name(kept), kept);
        }
        for masked in ["Kowalski", "ana@example.com", "a b", "41446681800", "id-123456", "größe"] {
            assert_ne!(name(masked), masked);
        }
    }

    #[test]
    fn queries_keep_their_names() {
        assert_eq!(query("q=Ana+K&page=2&flag"), "q=Xxx+X&page=9&flag");
        assert_eq!(query("ana@example.com"), "xxx@xxxxxxx.xxx");
    }

    #[test]
    fn even_shown_values_hide_what_looks_personal() {
        assert_eq!(scrub("Nov 2, 2026"), "Nov 2, 2026");
        assert_eq!(scrub("mail ana@example.com now"), "mail xxx@xxxxxxx.xxx now");
        assert_eq!(scrub("tel +41 44 668 18 00."), "tel +99 99 999 99 99.");
        assert_eq!(scrub("key sk_live_4242424242424242424242"), "key xx_xxxx_9999999999999999999999");
    }
}
