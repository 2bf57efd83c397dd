//! `str()` and `repr()` of template values, as Python would write them.

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::answer::escape_markup;
use crate::python::{bytes_repr, float_repr, str_repr};

/// `str(value)`: what `{{ value }}` shows before escaping.
#[must_use]
pub fn python_str(value: &Value) -> String {
    match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default().to_owned(),
        ValueKind::Undefined => String::new(),
        _ => html_of(value).unwrap_or_else(|| python_repr(value)),
    }
}

/// `repr(value)`: how a value looks inside of a list.
#[must_use]
pub fn python_repr(value: &Value) -> String {
    match value.kind() {
        ValueKind::Undefined => "Undefined".to_owned(),
        ValueKind::None => "None".to_owned(),
        ValueKind::Number => number(value),
        ValueKind::String => {
            let text = str_repr(value.as_str().unwrap_or_default());
            if value.is_safe() { format!("Markup({text})") } else { text }
        }
        ValueKind::Bytes => bytes_repr(value.as_bytes().unwrap_or_default()),
        ValueKind::Seq if value.is_tuple() => tuple(value),
        ValueKind::Seq => format!("[{}]", joined(value)),
        ValueKind::Map if has_own_text(value) => value.to_string(),
        ValueKind::Map => map(value),
        _ => value.to_string(),
    }
}

/// The escaped text of a value: as it is when marked as safe.
#[must_use]
pub fn escape_value(value: &Value) -> String {
    html_of(value).unwrap_or_else(|| escape_markup(&python_str(value)))
}

/// The text of a value that is HTML already: `Markup`, a part of a form, or an object whose attribute `__html__` is true
/// (in Python it is a method), which shows its HTML.
pub(crate) fn html_of(value: &Value) -> Option<String> {
    if value.is_safe() {
        return value.as_str().map(str::to_owned);
    }
    let object = value.as_object()?;
    crate::forms::markup(value).or_else(|| {
        let marked = object.get_value_by_str("__html__").is_some_and(|mark| mark.is_true());
        marked.then(|| value.to_string())
    })
}

/// Whether a value's text is HTML already.
pub(crate) fn is_html(value: &Value) -> bool {
    html_of(value).is_some()
}

/// Objects of this crate that show themselves in their own way though they have items.
fn has_own_text(value: &Value) -> bool {
    super::objects::has_own_text(value)
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float_repr)
}

fn joined(value: &Value) -> String {
    let items: Vec<String> = value.try_iter().into_iter().flatten().map(|item| python_repr(&item)).collect();
    items.join(", ")
}

fn tuple(value: &Value) -> String {
    let comma = if value.len() == Some(1) { "," } else { "" };
    format!("({}{comma})", joined(value))
}

fn map(value: &Value) -> String {
    let entries: Vec<String> = value
        .try_iter()
        .into_iter()
        .flatten()
        .map(|key| {
            let item = value.get_item(&key).unwrap_or_default();
            format!("{}: {}", python_repr(&key), python_repr(&item))
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}
