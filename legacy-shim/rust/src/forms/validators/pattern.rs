//! Python regular expressions by the `regex` crate: what is spelled differently is rewritten, what that crate cannot do
//! (look-around, back-references) is refused when the form is made.

use std::sync::Arc;

use regex::Regex;

/// A compiled expression, or why it cannot be one.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Result<Arc<Regex>, String>);

impl Pattern {
    pub(super) fn new(python: &str, ignore_case: bool) -> Pattern {
        let flags = if ignore_case { "(?i)" } else { "" };
        let rewritten = format!("{flags}\\A(?:{})", rewrite(python));
        Pattern(
            Regex::new(&rewritten).map(Arc::new).map_err(|_| {
                format!("`{python}` is a regular expression that cannot be used outside Python")
            }),
        )
    }

    pub(super) fn mistake(&self) -> Option<String> {
        self.0.as_ref().err().cloned()
    }

    /// `re.match(text)`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.as_ref().is_ok_and(|regex| regex.is_match(text))
    }
}

/// Python's `\w` and `\s` differ a little, `$` also stands before a newline at the end, and inside brackets Rust gives `[`,
/// `&&`, `--` and `~~` a meaning.
fn rewrite(python: &str) -> String {
    let mut out = String::with_capacity(python.len() + 16);
    let mut chars = python.chars().peekable();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped) => out.push_str(&escape(escaped, class)),
                None => out.push('\\'),
            },
            '[' if class => out.push_str("\\["),
            '&' | '~' if class => out.extend(['\\', c]),
            '[' => {
                class = true;
                out.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                if chars.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' if class => {
                class = false;
                out.push(']');
            }
            '$' if !class => out.push_str("(?:\\n?\\z)"),
            _ => out.push(c),
        }
    }
    out
}

fn escape(c: char, class: bool) -> String {
    match (c, class) {
        ('w', true) => r"\p{L}\p{N}_".to_owned(),
        ('w', false) => r"[\p{L}\p{N}_]".to_owned(),
        ('W', _) => r"[^\p{L}\p{N}_]".to_owned(),
        ('s', true) => r"\s\x1c-\x1f".to_owned(),
        ('s', false) => r"[\s\x1c-\x1f]".to_owned(),
        ('S', _) => r"[^\s\x1c-\x1f]".to_owned(),
        ('Z', _) => r"\z".to_owned(),
        _ => format!("\\{c}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_like_python() {
        let cases = [
            (r"^[0-9]+$", "12\n", true),
            (r"^[0-9]+\Z", "12\n", false),
            (r"ab", "xab", false),
            (r"ab", "abc", true),
            (r"^[\w.]+$", "é²_.", true),
            (r"^\S+$", "a\u{1f}b", false),
            (r"^[]a[&&~]+$", "]a[&~", true),
            (r"^[^\s/?#]+\.[^\s]+$", "a.b", true),
            (r"^[0-9+()/. -]+$", "+49 (0)-1/2.3", true),
        ];
        for (pattern, text, matches) in cases {
            let pattern = Pattern::new(pattern, false);
            assert_eq!(pattern.mistake(), None);
            assert_eq!(pattern.matches(text), matches, "{pattern:?} {text:?}");
        }
        assert!(Pattern::new("(?=a)", false).mistake().is_some());
    }
}
