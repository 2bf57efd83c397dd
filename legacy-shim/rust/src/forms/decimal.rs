//! Python's `decimal.Decimal` as far as forms need it: reading, writing, comparing, rounding to places. Exact at any size.
//!
//! Handlers turn it into the type of their database driver by its text. Arithmetic is not here.

use std::cmp::Ordering;
use std::fmt;

use crate::routing::decimal_digit;

/// Python's default context keeps this many digits; rounding that would need more fails.
const CONTEXT_DIGITS: i64 = 28;
/// The largest exponent of CPython's decimals.
const MAX_EXPONENT: i64 = 999_999_999_999_999_999;
/// The smallest exponent of a last digit.
const MIN_EXPONENT: i64 = -1_999_999_999_999_999_997;

/// How [`Decimal::quantize`] rounds a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// To the even neighbour, as Python does when nothing else is said.
    #[default]
    HalfEven,
    /// Away from zero.
    HalfUp,
}

/// A decimal number, an infinity, or no number.
#[derive(Debug, Clone)]
pub struct Decimal {
    negative: bool,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Digits without leading zeros (zero is `0`), times ten to the exponent.
    Finite {
        digits: String,
        exponent: i64,
    },
    Infinity,
    Nan {
        payload: String,
        signaling: bool,
    },
}

impl Decimal {
    /// `Decimal(text)`; none where Python raises `InvalidOperation`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Decimal> {
        let text: String = crate::python::strip(text)
            .chars()
            .filter(|c| *c != '_')
            .map(|c| decimal_digit(c).map_or(c, |value| char::from(b'0' + value)))
            .collect();
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        let lower = unsigned.to_ascii_lowercase();
        let kind = parse_special(&lower).or_else(|| parse_finite(&lower))?;
        Some(Decimal { negative, kind })
    }

    /// Whether this is no number.
    #[must_use]
    pub fn is_nan(&self) -> bool {
        matches!(self.kind, Kind::Nan { .. })
    }

    pub(super) fn is_signaling(&self) -> bool {
        matches!(self.kind, Kind::Nan { signaling: true, .. })
    }

    /// Whether this is zero, of either sign.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        matches!(&self.kind, Kind::Finite { digits, .. } if digits == "0")
    }

    /// `value.quantize(Decimal(".1") ** places)`; none where Python raises.
    #[must_use]
    pub fn quantize(&self, places: u32, rounding: Rounding) -> Option<Decimal> {
        let (digits, exponent) = match &self.kind {
            Kind::Finite { digits, exponent } => (digits, *exponent),
            Kind::Nan { signaling: false, .. } => return Some(self.clone()),
            _ => return None,
        };
        let wanted = -i64::from(places);
        let shift = exponent.checked_sub(wanted)?;
        let length = i64::try_from(digits.len()).ok()?;
        if !self.is_zero() && length.checked_add(shift)? > CONTEXT_DIGITS {
            return None;
        }
        let digits = match usize::try_from(shift) {
            Ok(_) if self.is_zero() => "0".to_owned(),
            Ok(zeros) => format!("{digits}{}", "0".repeat(zeros)),
            Err(_) => shorten(digits, usize::try_from(-shift).unwrap_or(usize::MAX), rounding),
        };
        let result = Decimal { negative: self.negative, kind: Kind::Finite { digits, exponent: wanted } };
        result.fits_context().then_some(result)
    }

    /// `int(value)`; none for infinities, for no numbers, and for more digits than anybody types.
    pub(super) fn whole_part(&self) -> Option<String> {
        let Kind::Finite { digits, exponent } = &self.kind else { return None };
        let sign = if self.negative { "-" } else { "" };
        match usize::try_from(*exponent) {
            Ok(zeros) if zeros <= 5000 => Some(format!("{sign}{digits}{}", "0".repeat(zeros))),
            Ok(_) => None,
            Err(_) => {
                let keep = digits.len().saturating_sub(usize::try_from(exponent.unsigned_abs()).ok()?);
                Some(format!("{sign}0{}", &digits[..keep]))
            }
        }
    }

    fn fits_context(&self) -> bool {
        !matches!(&self.kind, Kind::Finite { digits, .. } if i64::try_from(digits.len()).is_ok_and(|n| n > CONTEXT_DIGITS))
    }

    /// Exponent of the first digit: compares sizes without writing out zeros.
    fn magnitude(&self) -> Option<(i64, &str)> {
        match &self.kind {
            Kind::Finite { digits, exponent } if digits != "0" => {
                Some((exponent.saturating_add(i64::try_from(digits.len()).unwrap_or(i64::MAX)), digits))
            }
            _ => None,
        }
    }

    fn size_cmp(&self, other: &Decimal) -> Ordering {
        match (&self.kind, &other.kind) {
            (Kind::Infinity, Kind::Infinity) => return Ordering::Equal,
            (Kind::Infinity, _) => return Ordering::Greater,
            (_, Kind::Infinity) => return Ordering::Less,
            _ => {}
        }
        match (self.magnitude(), other.magnitude()) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some((a, x)), Some((b, y))) => {
                a.cmp(&b).then_with(|| x.trim_end_matches('0').cmp(y.trim_end_matches('0')))
            }
        }
    }
}

fn parse_special(lower: &str) -> Option<Kind> {
    if matches!(lower, "inf" | "infinity") {
        return Some(Kind::Infinity);
    }
    let (signaling, payload) = match lower.strip_prefix("snan") {
        Some(payload) => (true, payload),
        None => (false, lower.strip_prefix("nan")?),
    };
    payload
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| Kind::Nan { payload: payload.trim_start_matches('0').to_owned(), signaling })
}

fn parse_finite(lower: &str) -> Option<Kind> {
    let (mantissa, exponent) = match lower.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (lower, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let digits = match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let first = exponent.checked_add(i64::try_from(digits.len()).ok()? - 1)?;
    let readable = first <= MAX_EXPONENT && exponent >= MIN_EXPONENT;
    readable.then_some(Kind::Finite { digits, exponent })
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// The digits without the last `drop` ones, rounded.
fn shorten(digits: &str, drop: usize, rounding: Rounding) -> String {
    let keep = digits.len().checked_sub(drop);
    let (kept, first, rest) = match keep {
        Some(keep) => (&digits[..keep], digits.as_bytes()[keep], &digits[keep + 1..]),
        None => ("", b'0', digits),
    };
    let more = rest.bytes().any(|byte| byte != b'0');
    let odd = kept.bytes().last().is_some_and(|byte| (byte - b'0') % 2 == 1);
    let up = match rounding {
        Rounding::HalfUp => first >= b'5',
        Rounding::HalfEven => first > b'5' || (first == b'5' && (more || odd)),
    };
    let mut kept: Vec<u8> = kept.bytes().collect();
    if up && !kept.iter_mut().rev().any(add_one) {
        kept.insert(0, b'1');
    }
    match kept.iter().map(|byte| char::from(*byte)).collect::<String>().trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    }
}

/// Counts a digit up; false if that carries.
fn add_one(digit: &mut u8) -> bool {
    *digit = if *digit == b'9' { b'0' } else { *digit + 1 };
    *digit != b'0'
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let (digits, exponent) = match &self.kind {
            Kind::Infinity => return f.write_str("Infinity"),
            Kind::Nan { payload, signaling } => {
                return write!(f, "{}NaN{payload}", if *signaling { "s" } else { "" });
            }
            Kind::Finite { digits, exponent } => (digits, *exponent),
        };
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let left = exponent.saturating_add(length);
        if exponent <= 0 && left > -6 {
            return match usize::try_from(left) {
                Ok(at) if at >= digits.len() => f.write_str(digits),
                Ok(at) if at > 0 => write!(f, "{}.{}", &digits[..at], &digits[at..]),
                _ => write!(f, "0.{}{digits}", "0".repeat(usize::try_from(-left).unwrap_or(0))),
            };
        }
        let point = if digits.len() > 1 { "." } else { "" };
        write!(f, "{}{point}{}E{:+}", &digits[..1], &digits[1..], left - 1)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.is_nan() || other.is_nan() {
            return None;
        }
        let zeros = self.is_zero() && other.is_zero();
        Some(match (self.negative, other.negative) {
            _ if zeros => Ordering::Equal,
            (false, false) => self.size_cmp(other),
            (true, true) => other.size_cmp(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        })
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        let digits = value.unsigned_abs().to_string();
        Decimal { negative: value < 0, kind: Kind::Finite { digits, exponent: 0 } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Decimal::parse(text).map(|value| value.to_string())
    }

    #[test]
    fn reads_and_writes_like_python() {
        let cases = [
            ("1.50", "1.50"),
            ("-0", "-0"),
            ("0.000000", "0.000000"),
            ("0.0000000", "0E-7"),
            ("1e3", "1E+3"),
            (" 1_0.5\n", "10.5"),
            ("123E-1", "12.3"),
            (".5", "0.5"),
            ("5.", "5"),
            ("٣.٥", "3.5"),
            ("inf", "Infinity"),
            ("-sNaN007", "-sNaN7"),
            ("1E-10", "1E-10"),
            ("12345e-12", "1.2345E-8"),
            ("007", "7"),
        ];
        for (text, value) in cases {
            assert_eq!(shown(text).as_deref(), Some(value), "{text}");
        }
        for text in ["", ".", "1e", "1 2", "0x1", "1,5", "--1", "e5", "naan", "1e1000000000000000000"] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn rounds_halves() {
        let round = |text: &str, rounding| {
            Decimal::parse(text).and_then(|value| value.quantize(2, rounding)).map(|value| value.to_string())
        };
        let cases = [
            ("1", "1.00", "1.00"),
            ("0.125", "0.12", "0.13"),
            ("9.995", "10.00", "10.00"),
            ("0.005", "0.00", "0.01"),
            ("0.0051", "0.01", "0.01"),
            ("1e-9", "0.00", "0.00"),
            ("-0.001", "-0.00", "-0.00"),
            ("0E+5", "0.00", "0.00"),
        ];
        for (text, even, up) in cases {
            assert_eq!(round(text, Rounding::HalfEven).as_deref(), Some(even), "{text}");
            assert_eq!(round(text, Rounding::HalfUp).as_deref(), Some(up), "{text}");
        }
        assert_eq!(round("1e27", Rounding::HalfEven), None);
        assert_eq!(round("1e900000000", Rounding::HalfEven), None);
        assert_eq!(round("Infinity", Rounding::HalfEven), None);
    }

    #[test]
    fn compares_exactly() {
        let parse = |text: &str| Decimal::parse(text).unwrap();
        assert!(parse("1.0") == parse("1"));
        assert!(parse("-0") == parse("0"));
        assert!(parse("1E+900000000") > parse("999999999"));
        assert!(parse("-2") < parse("-1.99"));
        assert!(parse("-inf") < parse("-1E+99"));
        assert!(parse("nan") != parse("nan"));
    }
}
