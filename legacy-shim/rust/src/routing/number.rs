//! Numbers as Python reads and writes them: `\d` of any script, `int(text)`, `float(text)`, integers of any size.
//!
//! White space around a number is Unicode's: unlike `str.strip()`, neither `int()` nor `float()` takes the four separators
//! U+001C to U+001F for blanks. Used by the converters (URL text to value), by converter arguments and by `build`. Pure; checked against CPython 3.11
//! (Unicode 14, and its limit of 4300 digits).

use std::cmp::Ordering;

/// First code point of every run of ten decimal digits (Unicode category Nd, version 14 as in CPython 3.11).
const ZEROS: [u32; 66] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6,
    0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// CPython refuses to convert longer integers (`sys.set_int_max_str_digits`).
pub(super) const MAX_INT_DIGITS: usize = 4300;

/// The value of a decimal digit of any script.
pub(super) fn digit_value(c: char) -> Option<u8> {
    if c.is_ascii() {
        return c.is_ascii_digit().then(|| c as u8 - b'0');
    }
    let code = u32::from(c);
    let run = ZEROS.partition_point(|&zero| zero <= code).checked_sub(1)?;
    u8::try_from(code - ZEROS[run]).ok().filter(|&value| value < 10)
}

/// Byte length of the decimal digit at the start of `text`, if one is there.
pub(super) fn leading_digit(text: &str) -> Option<usize> {
    match text.as_bytes().first() {
        Some(b) if b.is_ascii() => b.is_ascii_digit().then_some(1),
        Some(_) => text.chars().next().and_then(|c| digit_value(c).map(|_| c.len_utf8())),
        None => None,
    }
}

/// A Python integer: sign and decimal digits without leading zeros; zero has no sign.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Integer {
    negative: bool,
    digits: String,
}

/// Why a text is no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotInteger {
    /// Not written as an integer.
    Malformed,
    /// More digits than CPython converts.
    TooLong,
}

impl Integer {
    fn new(negative: bool, digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        if digits.is_empty() {
            return Integer { negative: false, digits: "0".to_owned() };
        }
        Integer { negative, digits: digits.to_owned() }
    }

    /// `int(text)`: white space around, a sign, digits of any script, single underscores between digits.
    pub(crate) fn parse(text: &str) -> Result<Self, NotInteger> {
        let text = ascii_digits(text.trim());
        let (negative, digits) = split_sign(&text);
        if !well_grouped(digits) {
            return Err(NotInteger::Malformed);
        }
        let digits = digits.replace('_', "");
        if digits.len() > MAX_INT_DIGITS {
            return Err(NotInteger::TooLong);
        }
        Ok(Integer::new(negative, &digits))
    }

    /// `int(value)` of a float: the whole part; none for infinities and nan.
    pub(super) fn from_float(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let text = format!("{:.0}", value.trunc());
        let (negative, digits) = split_sign(&text);
        Some(Integer::new(negative, digits))
    }

    /// `int(uuid)`.
    pub(super) fn from_uuid(text: &str) -> Option<Self> {
        let value = u128::from_str_radix(&text.replace('-', ""), 16).ok()?;
        Some(Integer { negative: false, digits: value.to_string() })
    }

    /// The value, if it fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        self.to_string().parse().ok()
    }

    /// The nearest float, infinite if too large.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// `zfill`: zeros after the sign up to `width` characters.
    pub(super) fn padded(&self, width: usize) -> String {
        let sign = if self.negative { "-" } else { "" };
        let width = width.saturating_sub(sign.len());
        format!("{sign}{:0>width$}", self.digits)
    }

    /// Exact comparison with a float, as Python compares; none with nan.
    pub(super) fn compare_float(&self, other: f64) -> Option<Ordering> {
        if other.is_nan() {
            return None;
        }
        let Some(whole) = Integer::from_float(other) else {
            return Some(if other > 0.0 { Ordering::Less } else { Ordering::Greater });
        };
        Some(self.cmp(&whole).then_with(|| 0.0f64.partial_cmp(&other.fract()).unwrap_or(Ordering::Equal)))
    }
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Integer { negative: value < 0, digits: value.unsigned_abs().to_string() }
    }
}

impl std::fmt::Display for Integer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        f.write_str(&self.digits)
    }
}

impl Ord for Integer {
    fn cmp(&self, other: &Self) -> Ordering {
        let size =
            |a: &Self, b: &Self| a.digits.len().cmp(&b.digits.len()).then_with(|| a.digits.cmp(&b.digits));
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

impl PartialOrd for Integer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `float(text)`: what `int` takes, plus point, exponent, `inf` and `nan` in any case.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let text = ascii_digits(text.trim());
    let (_, unsigned) = split_sign(&text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "nan") {
        return text.to_ascii_lowercase().parse().ok();
    }
    let (mantissa, exponent) = lower.split_once('e').map_or((lower.as_str(), None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, ""), |(w, f)| (w, f));
    let grouped = |part: &str| part.is_empty() || well_grouped(part);
    let exponent_good = exponent.is_none_or(|e| well_grouped(split_sign(e).1));
    if !grouped(whole) || !grouped(fraction) || (whole.is_empty() && fraction.is_empty()) || !exponent_good {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Digits with single underscores between them.
fn well_grouped(digits: &str) -> bool {
    digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()))
}

/// Digits of other scripts become ASCII digits.
fn ascii_digits(text: &str) -> String {
    text.chars().map(|c| digit_value(c).map_or(c, |value| char::from(b'0' + value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(text: &str) -> Option<String> {
        Integer::parse(text).ok().map(|value| value.to_string())
    }

    #[test]
    fn reads_integers_like_python() {
        let cases = [
            ("007", Some("7")),
            ("-0", Some("0")),
            ("1_000", Some("1000")),
            (" 5\n", Some("5")),
            ("\u{b}\u{a0}\u{3000}5\u{85}\u{2028}", Some("5")),
            ("٣٤", Some("34")),
        ];
        for (text, value) in cases {
            assert_eq!(int(text).as_deref(), value, "{text}");
        }
        for text in ["", "-", "1__0", "_1", "1.0", "x", "²", "\u{1c}5", "5\u{1f}", "\u{a0}\u{1d}5"] {
            assert_eq!(int(text), None, "{text}");
        }
        assert!(Integer::parse(&"0".repeat(4300)).is_ok());
        assert_eq!(Integer::parse(&"0".repeat(4301)), Err(NotInteger::TooLong));
    }

    #[test]
    fn reads_floats_like_python() {
        for (text, value) in
            [("1.50", 1.5), ("-.5", -0.5), ("1_0.0", 10.0), ("5.", 5.0), ("1e3", 1000.0), ("٣.٥", 3.5)]
        {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        for text in ["", ".", "1._0", "e5", "1e", "0x1", "infinit", "\u{1c}5"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
        assert_eq!(parse_float("Infinity"), Some(f64::INFINITY));
    }

    #[test]
    fn compares_with_floats_exactly() {
        assert_eq!(Integer::from(3).compare_float(3.5), Some(Ordering::Less));
        assert_eq!(Integer::from(-3).compare_float(-3.5), Some(Ordering::Greater));
        assert_eq!(Integer::from(3).compare_float(3.0), Some(Ordering::Equal));
        assert_eq!(Integer::from(3).compare_float(f64::INFINITY), Some(Ordering::Less));
    }

    #[test]
    fn pads_after_the_sign() {
        assert_eq!(Integer::from(-5).padded(4), "-005");
        assert_eq!(Integer::from(12345).padded(3), "12345");
    }
}
