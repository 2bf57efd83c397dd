//! Strings as Python's `json.dumps` writes them.

use std::fmt::Write as _;

/// Appends `text` as a JSON string. With `ascii` (`ensure_ascii=True`, the default everywhere in Flask) all other
/// characters become `\uhhhh`, in surrogate pairs if needed.
pub fn push_json_string(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ if ascii || c < ' ' => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::push_json_string;

    #[test]
    fn escapes_like_python() {
        let json = |text, ascii| {
            let mut out = String::new();
            push_json_string(&mut out, text, ascii);
            out
        };
        assert_eq!(json("a\"\\/\u{7f}é😀\u{1}", true), r#""a\"\\/\u007f\u00e9\ud83d\ude00\u0001""#);
        assert_eq!(json("é\u{7f}\u{1}", false), "\"é\u{7f}\\u0001\"");
    }
}
