//! Values of URL variables, defaults and `build` arguments: the few Python types that occur there, with Python's equality
//! and `str()`.

use std::cmp::Ordering;

use super::number::Integer;
use crate::python::float_repr;

/// A Python value.
#[derive(Debug, Clone)]
pub enum Value {
    /// `None`; `build` ignores it.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of any size.
    Int(Integer),
    /// A float.
    Float(f64),
    /// A text.
    Str(String),
    /// A `uuid.UUID`, in lower case with dashes.
    Uuid(String),
    /// A list; `build` repeats the key in the query string.
    List(Vec<Value>),
}

impl Value {
    /// `str(value)`; none for a list, whose text nobody wants in a URL.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Float(value) => float_repr(*value),
            Value::Str(text) | Value::Uuid(text) => text.clone(),
            Value::List(_) => return None,
        })
    }

    /// Python's truth of the value.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != Integer::from(0),
            Value::Float(value) => *value != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Uuid(_) => true,
            Value::List(items) => !items.is_empty(),
        }
    }

    /// The value as an integer, where Python's `bool` is one.
    pub(super) fn as_integer(&self) -> Option<Integer> {
        match self {
            Value::Bool(value) => Some(Integer::from(i64::from(*value))),
            Value::Int(value) => Some(value.clone()),
            _ => None,
        }
    }
}

/// Python's `==`: `1 == 1.0 == True`, but not `"1"`.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Value::None, Value::None) => true,
            (Value::Str(a), Value::Str(b)) | (Value::Uuid(a), Value::Uuid(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Float(a), b) | (b, Value::Float(a)) => {
                b.as_integer().is_some_and(|b| b.compare_float(*a) == Some(Ordering::Equal))
            }
            (a, b) => matches!((a.as_integer(), b.as_integer()), (Some(a), Some(b)) if a == b),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(text)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(Integer::from(value))
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Value::Int(Integer::from(i64::from(value)))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Value::Int(Integer::from(i64::from(value)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::None, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::List(items.into_iter().map(Into::into).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn equality_is_pythons() {
        assert_eq!(Value::from(1), Value::from(1.0));
        assert_eq!(Value::from(1), Value::from(true));
        assert_ne!(Value::from(1), Value::from("1"));
        assert_ne!(Value::Uuid("a".to_owned()), Value::from("a"));
        assert_ne!(Value::from(f64::NAN), Value::from(f64::NAN));
    }
}
