//! What [`super::translate`] writes in place of operators: functions that mean what Python and MarkupSafe mean.

// minijinja hands arguments over by value.
#![allow(clippy::needless_pass_by_value)]

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};

use super::filters::printf;
use super::objects::{Dictionary, List, Macro, is_missing};
use super::text::{escape_value, is_html, python_str};
use super::translate::alone;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_function("__add", plus);
    env.add_function("__tilde", tilde);
    env.add_function("__mod", remainder);
    env.add_function("__pos", positive);
    env.add_function("__slice", slice);
    env.add_function("__list", |items: Rest<Value>| Value::from_object(List::new(items.to_vec())));
    env.add_function("__dict", Dictionary::of);
    env.add_filter("__list", |value: &Value| Ok(Value::from_object(List::new(value.try_iter()?.collect()))));
    env.add_function("__macro", Macro::wrap);
    env.add_test("__missing", is_missing);
    env.add_function("__alone", standing_alone);
    env.add_function("__global", global);
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let message = format!("unsupported operands for `{operator}`: {} and {}", left.kind(), right.kind());
    Error::new(ErrorKind::InvalidOperation, message)
}

/// An integer, also of a boolean.
fn integer(value: &Value) -> Option<i128> {
    match value.kind() {
        ValueKind::Bool => Some(i128::from(value.is_true())),
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

/// `a + b`.
fn plus(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) = (integer(left), integer(right)) {
        let sum = left.checked_add(right);
        return sum
            .map(Value::from)
            .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "too large a number"));
    }
    if let (Some(left), Some(right)) = (float(left), float(right)) {
        return Ok(Value::from(left + right));
    }
    let is_text = |value: &Value| value.kind() == ValueKind::String || is_html(value);
    if is_text(left) && is_text(right) {
        return Ok(if is_html(left) || is_html(right) {
            Value::from_safe_string(escape_value(left) + &escape_value(right))
        } else {
            Value::from(python_str(left) + &python_str(right))
        });
    }
    if (left.kind(), right.kind()) == (ValueKind::Seq, ValueKind::Seq) && left.is_tuple() == right.is_tuple()
    {
        let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).collect();
        return Ok(match (left.is_tuple(), left.downcast_object_ref::<List>().is_some()) {
            (true, _) => Value::from(Tuple::new(items)),
            (false, true) => Value::from_object(List::new(items)),
            (false, false) => Value::from(items),
        });
    }
    Err(unsupported("+", left, right))
}

/// `a ~ b ~ c`: escaped and safe as soon as one part is, where output is escaped.
fn tilde(state: &State<'_, '_>, parts: Rest<Value>) -> Value {
    let escaping = !matches!(state.auto_escape(), AutoEscape::None);
    if escaping && parts.iter().any(is_html) {
        Value::from_safe_string(parts.iter().map(escape_value).collect())
    } else {
        Value::from(parts.iter().map(python_str).collect::<String>())
    }
}

/// `a % b`: the remainder of numbers, the format of texts.
fn remainder(left: &Value, right: &Value) -> Result<Value, Error> {
    if left.kind() == ValueKind::String {
        return match right.kind() {
            ValueKind::Seq if right.is_tuple() => printf(left, &right.try_iter()?.collect::<Vec<_>>()),
            _ => printf(left, std::slice::from_ref(right)),
        };
    }
    let zero = || Error::new(ErrorKind::InvalidOperation, "modulo by zero");
    if let (Some(left), Some(right)) = (integer(left), integer(right)) {
        let rest = left.checked_rem(right).ok_or_else(zero)?;
        return Ok(Value::from(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }));
    }
    match (float(left), float(right)) {
        (Some(_), Some(0.0)) => Err(zero()),
        (Some(left), Some(right)) => {
            let rest = left % right;
            Ok(Value::from(if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }))
        }
        _ => Err(unsupported("%", left, right)),
    }
}

/// `+a`.
fn positive(value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::Number {
        return Ok(value.clone());
    }
    integer(value)
        .map(Value::from)
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("`+` of {}", value.kind())))
}

/// `a[start:stop:step]`; of what has no slices, undefined.
fn slice(value: &Value, start: &Value, stop: &Value, step: &Value) -> Result<Value, Error> {
    let bound = |value: &Value| -> Result<Option<i128>, Error> {
        match value.kind() {
            ValueKind::None | ValueKind::Undefined => Ok(None),
            _ => integer(value)
                .map(Some)
                .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "slices need integers")),
        }
    };
    let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(Error::new(ErrorKind::InvalidOperation, "the step of a slice is zero"));
    }
    if let Some(text) = value.as_str() {
        let chars: Vec<char> = text.chars().collect();
        let cut = places(chars.len(), start, stop, step).filter_map(|at| chars.get(at)).collect::<String>();
        return Ok(if value.is_safe() { Value::from_safe_string(cut) } else { Value::from(cut) });
    }
    match value.kind() {
        ValueKind::Undefined => Err(Error::new(ErrorKind::UndefinedError, "a slice of what is not defined")),
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            let cut =
                places(items.len(), start, stop, step).filter_map(|at| items.get(at)).cloned().collect();
            Ok(if value.is_tuple() { Value::from(Tuple::new(cut)) } else { Value::from(cut) })
        }
        _ => Ok(Value::UNDEFINED),
    }
}

/// The places that a slice takes, as CPython's `PySlice_AdjustIndices` finds them.
fn places(length: usize, start: Option<i128>, stop: Option<i128>, step: i128) -> impl Iterator<Item = usize> {
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |at: i128| if at < 0 { (at.saturating_add(length)).max(low) } else { at.min(high) };
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let going = move |at: &i128| if step > 0 { *at < stop } else { *at > stop };
    std::iter::successors(Some(start), move |at| at.checked_add(step))
        .take_while(going)
        .filter_map(|at| usize::try_from(at).ok())
}

/// The name under which a template sees no context, or none but these names; of a list of names, each.
fn standing_alone(name: &Value, but: Option<String>) -> Result<Value, Error> {
    let but = but.unwrap_or_default();
    let marked =
        |name: &Value| name.as_str().map_or_else(|| name.clone(), |text| Value::from(alone(text, &but)));
    match name.kind() {
        ValueKind::Seq => Ok(name.try_iter()?.map(|name| marked(&name)).collect()),
        _ => Ok(marked(name)),
    }
}

/// A global of Flask's environment, or of the application's; nothing else has a name without context.
fn global(state: &State<'_, '_>, name: &str) -> Value {
    const FLASK: [&str; 7] =
        ["url_for", "get_flashed_messages", "config", "request", "session", "g", "csrf_token"];
    let known = FLASK.contains(&name) || state.env().globals().any(|(global, _)| global == name);
    known.then(|| state.lookup(name)).flatten().unwrap_or(Value::UNDEFINED)
}

/// Adds `gettext`, `ngettext` and `_`, as Jinja2's i18n extension has them in its new style, which Flask-Babel uses:
/// they translate, then fill in `%(name)s`. `{% trans %}` calls them. An application without translations gives the
/// texts back as they are; one whose translations are not given here fails to render such a template.
pub fn add_translations(
    env: &mut Environment<'static>,
    gettext: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
    ngettext: impl Fn(&str, &str, i64) -> String + Send + Sync + 'static,
) {
    let translate = move |state: &State<'_, '_>, message: &Value, values: Kwargs| {
        filled(state, gettext(&python_str(message)), &values, None)
    };
    env.add_function("_", translate.clone());
    env.add_function("gettext", translate);
    env.add_function(
        "ngettext",
        move |state: &State<'_, '_>, one: &Value, many: &Value, count: i64, values: Kwargs| {
            filled(state, ngettext(&python_str(one), &python_str(many), count), &values, Some(count))
        },
    );
}

fn filled(state: &State<'_, '_>, text: String, values: &Kwargs, count: Option<i64>) -> Result<Value, Error> {
    let mut pairs = Vec::new();
    for name in values.args() {
        pairs.push((name.to_owned(), values.get::<Value>(name)?));
    }
    if let Some(count) = count.filter(|_| pairs.iter().all(|(name, _)| name != "num")) {
        pairs.push(("num".to_owned(), Value::from(count)));
    }
    let escaping = !matches!(state.auto_escape(), AutoEscape::None);
    let text = if escaping { Value::from_safe_string(text) } else { Value::from(text) };
    printf(&text, &[Value::from_pairs(pairs)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_pythons() {
        let cut = |start, stop, step| -> Vec<usize> { places(5, start, stop, step).collect() };
        assert_eq!(cut(None, None, 1), [0, 1, 2, 3, 4]);
        assert_eq!(cut(None, None, -2), [4, 2, 0]);
        assert_eq!(cut(Some(-2), None, 1), [3, 4]);
        assert_eq!(cut(Some(3), Some(0), -1), [3, 2, 1]);
        assert_eq!(cut(Some(9), Some(-9), -3), [4, 1]);
        assert_eq!(cut(Some(-9), Some(9), 2), [0, 2, 4]);
        assert_eq!(cut(Some(2), Some(1), 1), [0usize; 0]);
        assert_eq!(places(0, None, None, -1).count(), 0);
    }
}
