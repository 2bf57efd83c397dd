//! Times in headers that were made from the moment of the answer: two answers are never given at the same moment.

use flask_compat::cookie::parse_http_date;

use super::answer::Answer;

/// How far two such times may be apart, in seconds.
pub(super) const MOMENT: i64 = 2;

/// What a value means.
#[derive(Debug, Clone)]
pub(super) enum Meant {
    /// What it says.
    Text(String),
    /// A time so many seconds after the answer.
    After(i64),
    /// A time that was over when the answer was given.
    Past,
}

impl PartialEq for Meant {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one == other,
            (Self::After(one), Self::After(other)) => (one - other).abs() <= MOMENT,
            (Self::Past, Self::Past) => true,
            _ => false,
        }
    }
}

impl Meant {
    /// The time a header names, seen from its answer.
    pub(super) fn time(value: &str, answer: &Answer) -> Self {
        match (date(value), answer.date()) {
            (Some(time), Some(date)) if time <= date => Self::Past,
            (Some(time), Some(date)) => Self::After(time - date),
            _ => Self::Text(value.to_owned()),
        }
    }

    /// For people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::After(seconds) => format!("{seconds} s after the answer"),
            Self::Past => "in the past".to_owned(),
        }
    }
}

/// A date with blanks or with the dashes of old cookies.
pub(super) fn date(text: &str) -> Option<i64> {
    parse_http_date(text).or_else(|| {
        let (day, rest) = text.split_once(", ")?;
        parse_http_date(&format!("{day}, {}", rest.replacen('-', " ", 2)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_both_forms() {
        assert_eq!(date("Thu, 01-Jan-1970 00:00:00 GMT"), Some(0));
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(date("tomorrow"), None);
    }

    #[test]
    fn moments_are_as_wide_as_they_must_be() {
        assert_eq!(Meant::After(10), Meant::After(12));
        assert_ne!(Meant::After(10), Meant::After(13));
        assert_ne!(Meant::After(0), Meant::Past);
    }
}
