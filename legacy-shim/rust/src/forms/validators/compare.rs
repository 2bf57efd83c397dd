//! Validators that look at the data itself: presence, length, range, equality.

use std::cmp::Ordering;

use super::{Failure, Validator};
use crate::forms::field::Field;
use crate::forms::form::Form;
use crate::forms::text::interpolate;
use crate::forms::value::Value;
use crate::forms::version::Version;

/// Not true, or white space only.
pub(super) fn is_blank(data: &Value) -> bool {
    match data {
        Value::Text(text) => crate::python::strip(text).is_empty(),
        other => !other.is_true(),
    }
}

/// Nothing sent, or nothing but white space.
pub(super) fn is_absent(field: &Field, strip: bool) -> bool {
    match field.raw_data().and_then(<[_]>::first) {
        None => true,
        Some(text) if strip => crate::python::strip(text).is_empty(),
        Some(text) => text.is_empty(),
    }
}

impl Validator {
    pub(super) fn check_length(
        &self,
        min: Option<usize>,
        max: Option<usize>,
        text: &str,
    ) -> Result<(), Failure> {
        let length = text.chars().count();
        if min.is_none_or(|min| length >= min) && max.is_none_or(|max| length <= max) {
            return Ok(());
        }
        let own = match (min, max) {
            (Some(1), None) => "Field must be at least %(min)d character long.",
            (_, None) => "Field must be at least %(min)d characters long.",
            (None, Some(1)) => "Field cannot be longer than %(max)d character.",
            (None, Some(_)) => "Field cannot be longer than %(max)d characters.",
            (Some(1), Some(1)) => "Field must be exactly %(max)d character long.",
            (Some(min), Some(max)) if min == max => "Field must be exactly %(max)d characters long.",
            _ => "Field must be between %(min)d and %(max)d characters long.",
        };
        let size = |size: Option<usize>| size.map_or_else(|| "-1".to_owned(), |size| size.to_string());
        let values = [("min", size(min)), ("max", size(max)), ("length", length.to_string())];
        Err(interpolate(self.message.as_deref().unwrap_or(own), &values).into())
    }

    pub(super) fn check_range(
        &self,
        min: Option<&Value>,
        max: Option<&Value>,
        field: &Field,
    ) -> Result<(), Failure> {
        let number = field.data.as_decimal();
        if number.as_ref().is_some_and(|number| number.is_signaling()) && field.version == Version::Two {
            return Err("cannot convert signaling NaN to float".into());
        }
        let within = number.filter(|number| !number.is_nan()).is_some_and(|number| {
            let compared = |end: Option<&Value>, bad: Ordering| {
                end.and_then(Value::as_decimal).is_none_or(|end| number.partial_cmp(&end) != Some(bad))
            };
            compared(min, Ordering::Less) && compared(max, Ordering::Greater)
        });
        if within {
            return Ok(());
        }
        let own = match (min, max) {
            (_, None) => "Number must be at least %(min)s.",
            (None, _) => "Number must be at most %(max)s.",
            _ => "Number must be between %(min)s and %(max)s.",
        };
        let end = |end: Option<&Value>| end.unwrap_or(&Value::None).to_string();
        let values = [("min", end(min)), ("max", end(max))];
        Err(interpolate(self.message.as_deref().unwrap_or(own), &values).into())
    }

    pub(super) fn check_equal(&self, name: &str, form: &Form, field: &Field) -> Result<(), Failure> {
        let Some(other) = form.field(name) else {
            return Err(format!("Invalid field name '{name}'.").into());
        };
        if other.data == field.data {
            return Ok(());
        }
        let label = Some(other.label()).filter(|label| !label.is_empty());
        let values =
            [("other_label", label.unwrap_or_else(|| name.to_owned())), ("other_name", name.to_owned())];
        let own = "Field must be equal to %(other_name)s.";
        Err(interpolate(self.message.as_deref().unwrap_or(own), &values).into())
    }
}
