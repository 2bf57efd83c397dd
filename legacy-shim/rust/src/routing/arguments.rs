//! Arguments of a converter, `(length=2, "a,b", True)`: read with Werkzeug's own expression, so that what it skips or
//! misreads is skipped and misread here too.
//!
//! Source: `parse_converter_args` and `_pythonize` of werkzeug/routing.py 1.0.1, werkzeug/routing/rules.py 2.3.8 and 3.1.
//! Up to 3.0 text between two arguments that fits nothing is skipped (`min=-5` reads as the one argument `5`); 3.1
//! refuses it.

use std::sync::LazyLock;

use regex::Regex;

use super::number::{Integer, parse_float};
use super::value::Value;
use crate::Profile;

const ARGUMENT: &str = r#"((?P<name>\w+)\s*=\s*)?(?P<value>True|False|\d+.\d+|\d+.|\d+|[\w\d_.]+|[urUR]?(?P<stringval>"[^"]*?"|'[^']*'))\s*,"#;

static LENIENT: LazyLock<Result<Regex, regex::Error>> = LazyLock::new(|| Regex::new(ARGUMENT));
static STRICT: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(&format!(r"\s*{ARGUMENT}")));

/// The arguments of one converter.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Arguments {
    pub(super) positional: Vec<Value>,
    pub(super) named: Vec<(String, Value)>,
}

/// Reads the text between the parentheses; the error is the text that cannot be read.
pub(super) fn parse_arguments(profile: Profile, text: &str) -> Result<Arguments, String> {
    let strict = profile >= Profile::Werkzeug30;
    let expression = if strict { &STRICT } else { &LENIENT };
    let Ok(expression) = expression.as_ref() else { return Err(text.to_owned()) };
    let text = format!("{text},");
    let mut arguments = Arguments::default();
    let mut position = 0;
    for captures in expression.captures_iter(&text) {
        let Some(item) = captures.get(0) else { continue };
        if strict && item.start() != position {
            return Err(text[position..item.start()].to_owned());
        }
        position = item.end();
        let value = captures.name("stringval").or_else(|| captures.name("value")).map_or("", |m| m.as_str());
        match captures.name("name") {
            None => arguments.positional.push(pythonize(value)),
            Some(name) => set_named(&mut arguments.named, name.as_str(), pythonize(value)),
        }
    }
    Ok(arguments)
}

/// A later argument of the same name wins, as in a dict.
fn set_named(named: &mut Vec<(String, Value)>, name: &str, value: Value) {
    match named.iter_mut().find(|(known, _)| known == name) {
        Some(entry) => entry.1 = value,
        None => named.push((name.to_owned(), value)),
    }
}

fn pythonize(text: &str) -> Value {
    match text {
        "None" => return Value::None,
        "True" => return Value::Bool(true),
        "False" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(value) = Integer::parse(text) {
        return Value::Int(value);
    }
    if let Some(value) = parse_float(text) {
        return Value::Float(value);
    }
    let quoted = |quote: char| text.len() > 1 && text.starts_with(quote) && text.ends_with(quote);
    if quoted('"') || quoted('\'') {
        return Value::Str(text[1..text.len() - 1].to_owned());
    }
    Value::Str(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_quotes_numbers_and_names() {
        let read = parse_arguments(Profile::Werkzeug10, r#"about, "foo,bar", '1', 2, length=3,signed=True"#)
            .unwrap();
        let expected: Vec<Value> = vec!["about".into(), "foo,bar".into(), "1".into(), 2.into()];
        assert_eq!(read.positional, expected);
        assert_eq!(read.named, [("length".to_owned(), 3.into()), ("signed".to_owned(), true.into())]);
    }

    #[test]
    fn a_minus_is_skipped_until_3_0_and_refused_by_3_1() {
        let read = parse_arguments(Profile::Werkzeug23, "min=-5").unwrap();
        assert_eq!((read.positional, read.named), (vec![Value::from(5)], vec![]));
        assert_eq!(parse_arguments(Profile::Werkzeug31, "min=-5"), Err("min=-".to_owned()));
    }
}
