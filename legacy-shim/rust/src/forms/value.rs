//! [`Value`]: what a field holds after its input was read. Equal, true and written as the Python value would be.

use std::fmt;

use chrono::{NaiveDate, NaiveDateTime};

use super::decimal::Decimal;
use crate::routing::Integer;

/// The data of a field: Python's `field.data`.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// `None`.
    #[default]
    None,
    /// `True` and `False`.
    Bool(bool),
    /// `str`.
    Text(String),
    /// `int`, of any size.
    Integer(Integer),
    /// `decimal.Decimal`.
    Decimal(Decimal),
    /// `datetime.date`.
    Date(NaiveDate),
    /// `datetime.datetime` without a time zone.
    DateTime(NaiveDateTime),
}

impl Value {
    /// Whether this is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Value::None)
    }

    /// `bool(value)`.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Value::None => false,
            Value::Bool(value) => *value,
            Value::Text(text) => !text.is_empty(),
            Value::Integer(number) => *number != Integer::from(0),
            Value::Decimal(number) => !number.is_zero(),
            Value::Date(_) | Value::DateTime(_) => true,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if it is one and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => number.to_i64(),
            _ => None,
        }
    }

    /// Numbers as decimals; Python counts `True` and `False` among them.
    #[must_use]
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Value::Bool(value) => Some(Decimal::from(i64::from(*value))),
            Value::Integer(number) => Decimal::parse(&number.to_string()),
            Value::Decimal(number) => Some(number.clone()),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Text(text) => f.write_str(text),
            Value::Integer(number) => number.fmt(f),
            Value::Decimal(number) => number.fmt(f),
            Value::Date(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            Value::DateTime(moment) => write!(f, "{}", moment.format("%Y-%m-%d %H:%M:%S%.f")),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::None, Value::None) => true,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Date(a), Value::Date(b)) => a == b,
            (Value::DateTime(a), Value::DateTime(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            _ => match (self.as_decimal(), other.as_decimal()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }
}

macro_rules! value_from {
    ($($type:ty => $make:expr),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                $make(value)
            }
        })*
    };
}

value_from! {
    bool => Value::Bool,
    String => Value::Text,
    &str => |text: &str| Value::Text(text.to_owned()),
    i64 => |number| Value::Integer(Integer::from(number)),
    i32 => |number| Value::Integer(Integer::from(i64::from(number))),
    Integer => Value::Integer,
    Decimal => Value::Decimal,
    NaiveDate => Value::Date,
    NaiveDateTime => Value::DateTime,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::None, Into::into)
    }
}
