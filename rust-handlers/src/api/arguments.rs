//! Query arguments as Flask-RESTful's `reqparse` takes them: every value of a name is converted, the first one counts, the
//! first argument that does not fit ends the request with 400.

use axum::response::Response;
use flask_compat::python;
use flask_compat::url::Pairs;
use flask_compat::web::restful;
use http::StatusCode;
use serde_json::{Value, json};

use crate::failure::Failure;

/// Why an argument is refused.
pub(super) enum Refusal {
    /// 400 with this text for the argument.
    Bad { name: &'static str, text: String },
    /// A value that only Python can hold.
    Defer,
}

/// Either the rest of the handler goes on, or this is the answer.
pub(super) fn refused(refusal: Refusal) -> Result<Response, Failure> {
    match refusal {
        Refusal::Defer => Err(Failure::Deferred),
        Refusal::Bad { name, text } => {
            let mut message = serde_json::Map::new();
            message.insert(name.to_owned(), Value::String(text));
            Ok(restful(StatusCode::BAD_REQUEST, &json!({ "message": message })))
        }
    }
}

/// The text of an argument.
pub(super) fn text(args: &Pairs, name: &str) -> Option<String> {
    args.get(name).map(str::to_owned)
}

/// `type=int`.
pub(super) fn whole_number(args: &Pairs, name: &'static str) -> Result<Option<i64>, Refusal> {
    let mut numbers = Vec::new();
    for value in args.get_all(name) {
        let number = python::int(value).ok_or_else(|| {
            let shown = python::str_repr(value);
            Refusal::Bad { name, text: format!("invalid literal for int() with base 10: {shown}") }
        })?;
        numbers.push(number.to_i64().ok_or(Refusal::Defer)?);
    }
    Ok(numbers.first().copied())
}

/// A number in a range; outside of it the argument is refused with `text`.
pub(super) fn number_in(
    args: &Pairs,
    name: &'static str,
    range: std::ops::RangeInclusive<i64>,
    text: &str,
) -> Result<Option<i64>, Refusal> {
    let mut first = None;
    for value in args.get_all(name) {
        let one = Pairs(vec![(name.to_owned(), value.to_owned())]);
        let number = whole_number(&one, name)?;
        if number.is_some_and(|number| !range.contains(&number)) {
            return Err(Refusal::Bad { name, text: text.to_owned() });
        }
        first = first.or(number);
    }
    Ok(first)
}

/// One of the choices.
pub(super) fn choice(args: &Pairs, name: &'static str, choices: &[&str]) -> Result<Option<String>, Refusal> {
    if args.get_all(name).any(|value| !choices.contains(&value)) {
        return Err(Refusal::Bad { name, text: format!("must be one of {}", choices.join(", ")) });
    }
    Ok(text(args, name))
}
