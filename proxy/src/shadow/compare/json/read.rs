//! JSON as it was written: numbers as text, every key with every repetition, and what only Python writes (`NaN`).

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::shadow) enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number as it was written; also `NaN`, `Infinity`, `-Infinity`.
    Number(String),
    /// A text; half a surrogate pair stays as `\ud800`.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, in order, with repeated keys.
    Object(Vec<(String, Json)>),
}

/// Why a text was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shadow) enum Unread {
    /// It is not JSON.
    Malformed,
    /// It is nested deeper than what is looked at.
    TooDeep,
}

const DEEPEST: usize = 128;

/// Reads a document.
pub(in crate::shadow) fn read(text: &str) -> Result<Json, Unread> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), depth: 0 };
    let value = reader.value()?;
    reader.blank();
    if reader.rest.is_empty() { Ok(value) } else { Err(Unread::Malformed) }
}

struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> bool {
        let taken = self.rest.strip_prefix(token);
        if let Some(rest) = taken {
            self.rest = rest;
        }
        taken.is_some()
    }

    fn need(&mut self, token: &str) -> Result<(), Unread> {
        if self.take(token) { Ok(()) } else { Err(Unread::Malformed) }
    }

    fn value(&mut self) -> Result<Json, Unread> {
        self.blank();
        match self.rest.bytes().next().ok_or(Unread::Malformed)? {
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::list),
            b'"' => self.text().map(Json::Text),
            b'n' => self.need("null").map(|()| Json::Null),
            b't' => self.need("true").map(|()| Json::Bool(true)),
            b'f' => self.need("false").map(|()| Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Json, Unread>) -> Result<Json, Unread> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unread::TooDeep);
        }
        let value = inner(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn list(&mut self) -> Result<Json, Unread> {
        self.need("[")?;
        let mut items = Vec::new();
        self.blank();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            self.blank();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            self.need(",")?;
        }
    }

    fn object(&mut self) -> Result<Json, Unread> {
        self.need("{")?;
        let mut entries = Vec::new();
        self.blank();
        if self.take("}") {
            return Ok(Json::Object(entries));
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.blank();
            self.need(":")?;
            entries.push((key, self.value()?));
            self.blank();
            if self.take("}") {
                return Ok(Json::Object(entries));
            }
            self.need(",")?;
        }
    }

    fn number(&mut self) -> Result<Json, Unread> {
        for word in ["NaN", "Infinity", "-Infinity"] {
            if self.take(word) {
                return Ok(Json::Number(word.to_owned()));
            }
        }
        let is_part = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let end = self.rest.bytes().position(|byte| !is_part(byte)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        if !is_number(text) {
            return Err(Unread::Malformed);
        }
        self.rest = rest;
        Ok(Json::Number(text.to_owned()))
    }

    fn text(&mut self) -> Result<String, Unread> {
        self.need("\"")?;
        let mut out = String::new();
        loop {
            let end = self.rest.find(['"', '\\']).ok_or(Unread::Malformed)?;
            let (plain, rest) = self.rest.split_at(end);
            if plain.contains(|c: char| c < ' ') {
                return Err(Unread::Malformed);
            }
            out.push_str(plain);
            let quote = rest.starts_with('"');
            self.rest = &rest[1..];
            if quote {
                return Ok(out);
            }
            self.escape(&mut out)?;
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), Unread> {
        let kind = self.rest.chars().next().ok_or(Unread::Malformed)?;
        self.rest = &self.rest[kind.len_utf8()..];
        out.push(match kind {
            '"' | '\\' | '/' => kind,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => return self.unicode(out),
            _ => return Err(Unread::Malformed),
        });
        Ok(())
    }

    fn unicode(&mut self, out: &mut String) -> Result<(), Unread> {
        let high = self.hex4()?;
        if let Some(c) = char::from_u32(high) {
            out.push(c);
            return Ok(());
        }
        let before = self.rest;
        if (0xd800..0xdc00).contains(&high) && self.take("\\u") {
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                out.extend(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)));
                return Ok(());
            }
            self.rest = before;
        }
        out.push_str(&format!("\\u{high:04x}"));
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, Unread> {
        let hex = self.rest.get(..4).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let hex = hex.ok_or(Unread::Malformed)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(hex, 16).map_err(|_| Unread::Malformed)
    }
}

/// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, part) = mantissa.split_once('.').map_or((mantissa, None), |(w, p)| (w, Some(p)));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && part.is_none_or(digits)
        && exponent.is_none_or(digits)
}

/// A number by its value: sign, digits without zeros around, power of ten. Equal for `1`, `1.0` and `10e-1`; exact for
/// numbers of any size.
pub(in crate::shadow) fn value_of(number: &str) -> (bool, String, i64) {
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return (false, number.to_owned(), 0);
    }
    let (negative, rest) = number.strip_prefix('-').map_or((false, number), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = format!("{whole}{part}");
    let trimmed = all.trim_start_matches('0').trim_end_matches('0');
    if trimmed.is_empty() {
        return (false, "0".to_owned(), 0);
    }
    let zeros = all.len() - all.trim_end_matches('0').len();
    // A power of ten that no calendar of the universe needs is kept apart, not added up wrongly.
    let exponent = exponent.parse::<i64>().unwrap_or(i64::MAX / 2);
    let power = exponent.saturating_sub(part.len() as i64).saturating_add(zeros as i64);
    (negative, trimmed.to_owned(), power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_python_writes() {
        let cases = [
            ("null", Json::Null),
            (" [1, 2.50]\n", Json::List(vec![Json::Number("1".into()), Json::Number("2.50".into())])),
            ("NaN", Json::Number("NaN".into())),
            (r#""\u00e9\ud83d\ude00\ud800""#, Json::Text("é😀\\ud800".into())),
            (
                r#"{"a":1,"a":2}"#,
                Json::Object(vec![
                    ("a".into(), Json::Number("1".into())),
                    ("a".into(), Json::Number("2".into())),
                ]),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in ["", "{", "[1,]", "01", "1.", "+1", "'a'", "{a:1}", "[1] x", "\"a\nb\"", "<html>"] {
            assert_eq!(read(text), Err(Unread::Malformed), "{text}");
        }
        assert_eq!(read(&"[".repeat(200)), Err(Unread::TooDeep));
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let equal = [("1", "1.0"), ("10", "1e1"), ("0", "-0.0"), ("100", "1E+2"), ("0.5", "5e-1")];
        for (one, other) in equal {
            assert_eq!(value_of(one), value_of(other), "{one} {other}");
        }
        let different = [
            ("1", "-1"),
            ("9007199254740993", "9007199254740992"),
            ("0.1", "0.10000000000000001"),
            ("NaN", "Infinity"),
            ("1e400", "2e400"),
        ];
        for (one, other) in different {
            assert_ne!(value_of(one), value_of(other), "{one} {other}");
        }
    }
}
