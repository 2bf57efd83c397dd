//! `int(text)` and `text.strip()`, as views apply them to what users typed.

use crate::routing::Integer;

/// `int(text)`: white space around, a sign, digits of any script, single underscores between them. `None`: `ValueError`.
#[must_use]
pub fn int(text: &str) -> Option<Integer> {
    Integer::parse(text).ok()
}

/// `c.isspace()`: Python's white space is Unicode's and four separators more.
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `text.strip()`. What [`int`] takes away around a number is less.
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        let read = |text| int(text).and_then(|number| number.to_i64());
        assert_eq!(read(" 0_2 "), Some(2));
        assert_eq!(read("+7"), Some(7));
        assert_eq!(read("\u{662}"), Some(2));
        for text in ["", "abc", "1__2", "_1", "1_", "1.0", "0x1", "- 1"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(int("99999999999999999999").is_some_and(|number| number.to_i64().is_none()));
    }

    #[test]
    fn separators_are_white_space() {
        assert_eq!(strip("\u{1f} a b\u{a0}\n"), "a b");
        assert!(int("\u{1f}7").is_none(), "but not for numbers");
    }
}
