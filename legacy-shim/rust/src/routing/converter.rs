//! One converter of one variable: what text it fits, which of those texts it refuses, and how a value becomes text.
//!
//! Source: the classes of werkzeug/routing.py 1.0.1 and werkzeug/routing/converters.py 2.3.8 and 3.1. Fitting (the
//! regular expression) is `Shape` and executed by `pattern`; refusing (`to_python`) and writing (`to_url`) are here.
//! Differences: 3.1 refuses an integer of more than 4300 digits, before that it was an exception; from 2.2 on `any` checks
//! and does not quote the value it writes; the set of characters that stay unquoted changed in 2.3.

use std::borrow::Cow;

use super::foreign::Foreign;
use super::number::{Integer, NotInteger, parse_float};
use super::quote::{PATH, PATH_10, quote};
use super::value::Value;
use crate::Profile;

/// The regular expression of a converter.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// `[^/]{min,max}`, greedy; `exact` if it is written `{min}`.
    Segment { min: usize, max: Option<usize>, exact: bool },
    /// `-?\d+`.
    Digits { signed: bool },
    /// `-?\d+\.\d+`.
    Decimal { signed: bool },
    /// `[^/].*?`.
    Path,
    /// `(?:a|b)`; without items it fits the empty text.
    OneOf(Vec<String>),
    /// Eight, four, four, four and twelve hexadecimal digits.
    Uuid,
    /// Somebody else's.
    Custom(Foreign),
}

/// What kind of value the variable has in Python.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Text,
    Any,
    Int(Limits),
    Float(Limits),
    Uuid,
}

/// Arguments of the number converters.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    pub(super) fixed_digits: usize,
    pub(super) min: Option<Value>,
    pub(super) max: Option<Value>,
}

/// A converter with its arguments.
#[derive(Debug, Clone)]
pub(super) struct Converter {
    pub(super) shape: Shape,
    pub(super) kind: Kind,
    pub(super) weight: i64,
    pub(super) part_isolating: bool,
}

/// What `to_python` does with a text that fits the regular expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
    /// An exception that nobody catches.
    Raises,
}

impl Converter {
    /// What `to_python` says about a text that fits.
    pub(super) fn judge(&self, text: &str, profile: Profile) -> Verdict {
        match &self.kind {
            Kind::Text | Kind::Any | Kind::Uuid => Verdict::Accepted,
            Kind::Int(limits) => limits.judge_int(text, profile),
            Kind::Float(limits) => limits.judge_float(text),
        }
    }

    /// `to_python` of an accepted text.
    pub(super) fn to_python(&self, text: &str) -> Value {
        match &self.kind {
            Kind::Text | Kind::Any => Value::Str(text.to_owned()),
            Kind::Int(_) => Integer::parse(text).map_or_else(|_| Value::from(text), Value::Int),
            Kind::Float(_) => parse_float(text).map_or_else(|| Value::from(text), Value::Float),
            Kind::Uuid => Value::Uuid(text.to_ascii_lowercase()),
        }
    }

    /// `to_url`; the error says why there is no text.
    pub(super) fn to_url(&self, value: &Value, profile: Profile) -> Result<String, String> {
        match (&self.kind, value) {
            (_, Value::List(_)) => Err("a list has no place in a path".to_owned()),
            (Kind::Int(limits), value) => {
                let number = to_integer(value).ok_or_else(|| not_a("an integer", value))?;
                Ok(number.padded(limits.fixed_digits))
            }
            (Kind::Float(_), value) => {
                let number = to_float(value).ok_or_else(|| not_a("a number", value))?;
                Value::Float(number).to_text().ok_or_else(String::new)
            }
            (Kind::Uuid, value) => value.to_text().ok_or_else(String::new),
            (Kind::Any, value) if profile != Profile::Werkzeug10 => self.checked_item(value),
            (Kind::Text | Kind::Any, value) => {
                let text = value.to_text().unwrap_or_default();
                Ok(quote(&text, if profile == Profile::Werkzeug10 { PATH_10 } else { PATH }))
            }
        }
    }

    fn checked_item(&self, value: &Value) -> Result<String, String> {
        let Shape::OneOf(items) = &self.shape else { return Err(not_a("an item", value)) };
        match value {
            Value::Str(text) if items.contains(text) => Ok(text.clone()),
            _ => Err(format!("{} is not one of {}", shown(value), items.join(", "))),
        }
    }
}

impl Limits {
    fn judge_int(&self, text: &str, profile: Profile) -> Verdict {
        if self.wrong_length(text) {
            return Verdict::Refused;
        }
        // Nineteen bytes cannot hold an integer that Python refuses; without bounds there is nothing to compute.
        if self.min.is_none() && self.max.is_none() && text.len() < 20 {
            return Verdict::Accepted;
        }
        match Integer::parse(text) {
            Err(NotInteger::TooLong) if profile == Profile::Werkzeug31 => Verdict::Refused,
            Err(_) => Verdict::Raises,
            Ok(value) => self.judge_range(&Value::Int(value)),
        }
    }

    fn judge_float(&self, text: &str) -> Verdict {
        if self.min.is_none() && self.max.is_none() {
            return Verdict::Accepted;
        }
        parse_float(text).map_or(Verdict::Raises, |value| self.judge_range(&Value::Float(value)))
    }

    fn wrong_length(&self, text: &str) -> bool {
        self.fixed_digits != 0 && text.chars().count() != self.fixed_digits
    }

    fn judge_range(&self, value: &Value) -> Verdict {
        let below = self.min.as_ref().is_some_and(|min| less(value, min));
        let above = self.max.as_ref().is_some_and(|max| less(max, value));
        if below || above { Verdict::Refused } else { Verdict::Accepted }
    }
}

/// Python's `<` between numbers; false with nan.
fn less(a: &Value, b: &Value) -> bool {
    use std::cmp::Ordering::{Greater, Less};
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Float(a), b) => b.as_integer().is_some_and(|b| b.compare_float(*a) == Some(Greater)),
        (a, Value::Float(b)) => a.as_integer().is_some_and(|a| a.compare_float(*b) == Some(Less)),
        (a, b) => a.as_integer() < b.as_integer(),
    }
}

/// `int(value)`.
fn to_integer(value: &Value) -> Option<Integer> {
    match value {
        Value::Str(text) => Integer::parse(text).ok(),
        Value::Float(value) => Integer::from_float(*value),
        Value::Uuid(text) => Integer::from_uuid(text),
        other => other.as_integer(),
    }
}

/// `float(value)`.
fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Str(text) => parse_float(text),
        Value::Float(value) => Some(*value),
        other => other.as_integer().map(|value| value.to_f64()).filter(|value| value.is_finite()),
    }
}

fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Str(text) => format!("`{text}`").into(),
        other => other.to_text().map_or("a list".into(), |text| format!("`{text}`").into()),
    }
}

fn not_a(what: &str, value: &Value) -> String {
    format!("{} is not {what}", shown(value))
}
