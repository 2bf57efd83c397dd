//! Python's `strptime` and `strftime` for the directives that form fields use: `%Y %m %d %H %M %S %%`.
//!
//! Reading follows CPython's `_strptime`: digits of any script, optional leading zeros, white space in the format stands for
//! any white space. Writing follows glibc: years below 1000 have no leading zeros. Other directives stand for themselves.

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::python::is_space;
use crate::routing::decimal_digit;

/// Numbers found so far: year, month, day, hour, minute, second.
#[derive(Clone, Copy)]
struct Parts([u32; 6]);

/// `datetime.strptime(text, format)`; none where Python raises `ValueError`.
pub(super) fn parse(text: &str, format: &str) -> Option<NaiveDateTime> {
    let text: Vec<char> = text.chars().collect();
    let format: Vec<char> = format.chars().collect();
    let (Parts([year, month, day, hour, minute, second]), end) =
        read(&text, &format, 0, Parts([1900, 1, 1, 0, 0, 0]))?;
    if end != text.len() || year == 0 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    Some(NaiveDateTime::new(date, NaiveTime::from_hms_opt(hour, minute, second)?))
}

/// Matches the rest of the format from `at`, trying the alternatives of each number in CPython's order.
fn read(text: &[char], format: &[char], at: usize, parts: Parts) -> Option<(Parts, usize)> {
    let (first, rest) = match format.split_first() {
        None => return Some((parts, at)),
        Some(split) => split,
    };
    if is_space(*first) {
        let rest = &rest[rest.iter().take_while(|c| is_space(**c)).count()..];
        let blanks = text[at..].iter().take_while(|c| is_space(**c)).count();
        return (1..=blanks).rev().find_map(|taken| read(text, rest, at + taken, parts));
    }
    let directive = rest.first().copied().filter(|_| *first == '%');
    if let Some((slot, alternatives)) = directive.and_then(slot_of) {
        return alternatives.iter().find_map(|shape| {
            let mut parts = parts;
            parts.0[slot] = number(text.get(at..at + shape.len())?, shape)?;
            read(text, &rest[1..], at + shape.len(), parts)
        });
    }
    let (literal, rest) = match directive {
        Some('%') => ('%', &rest[1..]),
        _ => (*first, rest),
    };
    let found = *text.get(at)?;
    let same = found == literal || found.to_lowercase().eq(literal.to_lowercase());
    if same { read(text, rest, at + 1, parts) } else { None }
}

/// One character of a number: from, to.
type Range = (char, char);
/// `\d`: a digit of any script.
const ANY: Range = ('d', 'd');

/// Which part a directive sets, and the forms of its number in CPython's order.
fn slot_of(directive: char) -> Option<(usize, &'static [&'static [Range]])> {
    Some(match directive {
        'Y' => (0, &[&[ANY, ANY, ANY, ANY]]),
        'm' => (1, &[&[('1', '1'), ('0', '2')], &[('0', '0'), ('1', '9')], &[('1', '9')]]),
        'd' => (
            2,
            &[
                &[('3', '3'), ('0', '1')],
                &[('1', '2'), ANY],
                &[('0', '0'), ('1', '9')],
                &[('1', '9')],
                &[(' ', ' '), ('1', '9')],
            ],
        ),
        'H' => (3, &[&[('2', '2'), ('0', '3')], &[('0', '1'), ANY], &[ANY]]),
        'M' => (4, &[&[('0', '5'), ANY], &[ANY]]),
        'S' => (5, &[&[('6', '6'), ('0', '1')], &[('0', '5'), ANY], &[ANY]]),
        _ => return None,
    })
}

/// The value of the digits, if they have this shape; a blank counts as zero.
fn number(text: &[char], shape: &[Range]) -> Option<u32> {
    text.iter().zip(shape).try_fold(0, |value, (c, range)| {
        let fits = *range == ANY || (range.0..=range.1).contains(c);
        let digit = if *c == ' ' { Some(0) } else { decimal_digit(*c) };
        digit.filter(|_| fits).map(|digit| value * 10 + u32::from(digit))
    })
}

/// `moment.strftime(format)`.
pub(super) fn write(moment: NaiveDateTime, format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 8);
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        let number = match chars.peek().filter(|_| c == '%') {
            Some('Y') => format!("{}", moment.year()),
            Some('m') => format!("{:02}", moment.month()),
            Some('d') => format!("{:02}", moment.day()),
            Some('H') => format!("{:02}", moment.hour()),
            Some('M') => format!("{:02}", moment.minute()),
            Some('S') => format!("{:02}", moment.second()),
            Some('%') => "%".to_owned(),
            _ => {
                out.push(c);
                continue;
            }
        };
        chars.next();
        out.push_str(&number);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_like_strptime() {
        let day = |text: &str| parse(text, "%Y-%m-%d").map(|moment| moment.date().to_string());
        for (text, value) in
            [("2020-02-29", "2020-02-29"), ("2020-1-2", "2020-01-02"), ("٢٠٢٠-01-1٢", "2020-01-12")]
        {
            assert_eq!(day(text).as_deref(), Some(value), "{text}");
        }
        for text in [
            "2019-02-29",
            "2020-13-01",
            "0000-01-01",
            "2020-01-01 ",
            "20-01-01",
            "2020-001-01",
            "2020-٠١-01",
            "",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
        let moment = |text: &str| parse(text, "%Y-%m-%d %H:%M:%S").map(|moment| moment.to_string());
        assert_eq!(moment("2020-01-02 \t3:4:5").as_deref(), Some("2020-01-02 03:04:05"));
        assert_eq!(moment("2020-01-02 03:04:60"), None);
    }

    #[test]
    fn writes_like_strftime() {
        let moment = parse("0987-01-02 03:04:05", "%Y-%m-%d %H:%M:%S").unwrap();
        assert_eq!(write(moment, "%d.%m.%Y, %H:%M:%S 100%% %q"), "02.01.987, 03:04:05 100% %q");
    }
}
