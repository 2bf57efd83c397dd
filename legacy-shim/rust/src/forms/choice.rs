//! [`Choice`]s of a select and how their values compare with the data: [`Coerce`].

use std::fmt;
use std::sync::Arc;

use super::field::{Field, Kind};
use super::value::Value;
use super::version::Version;
use crate::routing::{Integer, parse_integer};

/// One option of a select.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub(super) value: Value,
    pub(super) label: String,
}

impl<V: Into<Value>, L: Into<String>> From<(V, L)> for Choice {
    fn from((value, label): (V, L)) -> Self {
        Choice { value: value.into(), label: label.into() }
    }
}

/// Value and label are the same.
impl From<&str> for Choice {
    fn from(text: &str) -> Self {
        Choice { value: text.into(), label: text.to_owned() }
    }
}

impl Choice {
    /// The text of the option; WTForms 3 shows the value where the label is empty.
    pub(super) fn shown_label(&self, version: Version) -> String {
        if self.label.is_empty() && version == Version::Three {
            self.value.to_string()
        } else {
            self.label.clone()
        }
    }
}

/// `SelectField(coerce=...)`: turns values of choices and of the form into data.
#[derive(Clone, Default)]
pub enum Coerce {
    /// `str`.
    #[default]
    Text,
    /// `int`.
    Integer,
    /// A function of the application; `None` where the Python one raises `ValueError`.
    Custom(CoerceFn),
}

/// See [`Coerce::Custom`].
pub type CoerceFn = Arc<dyn Fn(&Value) -> Option<Value> + Send + Sync>;

impl<F: Fn(&Value) -> Option<Value> + Send + Sync + 'static> From<F> for Coerce {
    fn from(coerce: F) -> Self {
        Coerce::Custom(Arc::new(coerce))
    }
}

impl fmt::Debug for Coerce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Coerce::Text => "Text",
            Coerce::Integer => "Integer",
            Coerce::Custom(_) => "Custom",
        })
    }
}

impl Coerce {
    /// The coerced value; none where Python raises.
    #[must_use]
    pub fn apply(&self, value: &Value) -> Option<Value> {
        match self {
            Coerce::Text => Some(Value::Text(value.to_string())),
            Coerce::Integer => to_integer(value).map(Value::Integer),
            Coerce::Custom(coerce) => coerce(value),
        }
    }
}

/// `int(value)`.
pub(super) fn to_integer(value: &Value) -> Option<Integer> {
    match value {
        Value::Text(text) => text_to_integer(text),
        Value::Integer(number) => Some(number.clone()),
        Value::Bool(value) => Some(Integer::from(i64::from(*value))),
        Value::Decimal(number) => parse_integer(&number.whole_part()?),
        Value::None | Value::Date(_) | Value::DateTime(_) => None,
    }
}

/// `int(text)`, which does not take the four separators for white space.
pub(super) fn text_to_integer(text: &str) -> Option<Integer> {
    if text.contains(|c: char| ('\u{1c}'..='\u{1f}').contains(&c)) {
        return None;
    }
    parse_integer(text)
}

impl Field {
    /// The choices, each with whether it is selected.
    pub(super) fn marked_choices(&self) -> impl Iterator<Item = (&Choice, bool)> {
        self.choices.iter().flatten().map(|choice| {
            let selected = self.spec.coerce.apply(&choice.value).is_some_and(|value| value == self.data);
            (choice, selected)
        })
    }

    /// What a select refuses before its validators run. A select without choices is a mistake of the programmer: WTForms 3
    /// raises `TypeError`, here nothing is a valid choice.
    pub(super) fn choice_error(&self) -> Option<String> {
        let asked = self.spec.kind == Kind::Select && self.spec.checks_choice;
        let known_bad = self.version == Version::Three && !self.process_errors.is_empty();
        if !asked || known_bad || self.marked_choices().any(|(_, selected)| selected) {
            return None;
        }
        Some(self.version.sentence("Not a valid choice"))
    }
}
