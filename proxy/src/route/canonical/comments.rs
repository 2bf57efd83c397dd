//! Finds the comments of a TOML text: what `#` begins outside of strings.

/// Every comment with its `#`, without white space at its end.
pub(super) fn comments(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['#', '"', '\'']) {
        let here = &rest[at..];
        rest = if here.starts_with('#') {
            let end = here.find('\n').unwrap_or(here.len());
            found.push(here[..end].trim_end().to_owned());
            &here[end..]
        } else {
            behind_string(here)
        };
    }
    found
}

/// Whether a text that is part of a TOML text has a comment.
pub(super) fn has_comment(text: &str) -> bool {
    !comments(text).is_empty()
}

/// What follows the string that begins here.
fn behind_string(text: &str) -> &str {
    for (quotes, escapes) in [("\"\"\"", true), ("'''", false)] {
        if let Some(body) = text.strip_prefix(quotes) {
            let mut end = end_of(body, quotes, escapes);
            // Up to two quotes may stand before the three that end it.
            while body[end..].starts_with(&quotes[..1]) {
                end += 1;
            }
            return &body[end..];
        }
    }
    let escapes = text.starts_with('"');
    let quote = &text[..1];
    let body = &text[1..];
    &body[end_of(body, quote, escapes)..]
}

/// Where a string ends, behind its quotes; the end of the text if it does not.
fn end_of(body: &str, quotes: &str, escapes: bool) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        if escaped {
            escaped = false;
        } else if escapes && c == '\\' {
            escaped = true;
        } else if body[at..].starts_with(quotes) {
            return at + quotes.len();
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_hide_what_looks_like_a_comment() {
        let cases: [(&str, &[&str]); 8] = [
            ("a = 1 # b", &["# b"]),
            ("a = \"#\" # b", &["# b"]),
            ("a = '#\\' # b", &["# b"]),
            ("a = \"\\\"#\" # b", &["# b"]),
            ("a = \"\"\"\n# no\n\"\"\" # b", &["# b"]),
            ("a = '''\n# no''''' # b", &["# b"]),
            ("a = \"\" # 'b'", &["# 'b'"]),
            ("# a\n# b   \n", &["# a", "# b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(comments(text), expected, "{text:?}");
        }
    }
}
