//! `"{}".format(x)`: minijinja's, with percentages, and with escaped arguments for safe text.

use minijinja::formatting::FormatStyle;
use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Error, ErrorKind, Value};

use super::text::{escape_value, python_repr, python_str};

/// The method `format` of a text. Safe text stays safe.
pub(super) fn format(value: &Value, text: &str, args: &[Value]) -> Result<Value, Error> {
    let safe = value.is_safe();
    let shown = |value: &Value| match value.kind() {
        ValueKind::Number | ValueKind::Bool => value.clone(),
        _ if safe => Value::from(escape_value(value)),
        ValueKind::None => Value::from(python_str(value)),
        _ => value.clone(),
    };
    let (places, named): (Rest<Value>, Kwargs) = from_args(args)?;
    let places: Vec<Value> = places.iter().map(shown).collect();
    let mut names: Vec<(String, Value)> = Vec::new();
    for name in named.args() {
        names.push((name.to_owned(), shown(&named.get(name)?)));
    }
    let pattern = own_fields(text, &places, &mut names)?;
    let mut all = places;
    all.push(Value::from(Kwargs::from_iter(names)));
    let out = minijinja::formatting::format(FormatStyle::StrFormat, &pattern, &all)?;
    Ok(if safe { Value::from_safe_string(out) } else { Value::from(out) })
}

/// `{:.1%}` becomes `{name:.1f}%`, with a hundred times its argument under that name, `{!r}` the `repr` of its own; then
/// places that count by themselves are written out, as others may follow.
fn own_fields(text: &str, places: &[Value], names: &mut Vec<(String, Value)>) -> Result<String, Error> {
    if !text.contains("%}") && !text.contains('!') {
        return Ok(text.to_owned());
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut counted = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            out.push_str(&rest[..2]);
            rest = &rest[2..];
            continue;
        }
        let Some(end) = rest.find('}').filter(|_| rest.starts_with('{')) else {
            out.push_str(&rest[..1]);
            rest = &rest[1..];
            continue;
        };
        let field = &rest[1..end];
        rest = &rest[end + 1..];
        let (name, spec) = field.split_at(field.find([':', '!']).unwrap_or(field.len()));
        let name = if name.is_empty() { counted.to_string() } else { name.to_owned() };
        counted += 1;
        let place = name.parse::<usize>().ok().and_then(|place| places.get(place));
        let value = place.or_else(|| names.iter().find(|(known, _)| *known == name).map(|(_, value)| value));
        let own = format!("own_{counted}");
        if let Some(spec) = spec.strip_suffix('%') {
            let number = value.and_then(|value| f64::try_from(value.clone()).ok());
            let missing = || Error::new(ErrorKind::InvalidOperation, "`%` formats one number");
            out.push_str(&format!("{{{own}{spec}f}}%"));
            names.push((own, Value::from(number.ok_or_else(missing)? * 100.0)));
        } else if let (Some(spec), Some(value)) = (spec.strip_prefix("!r"), value) {
            out.push_str(&format!("{{{own}{spec}}}"));
            names.push((own, Value::from(python_repr(value))));
        } else if let (Some(spec), Some(value)) = (spec.strip_prefix("!s"), value) {
            out.push_str(&format!("{{{own}{spec}}}"));
            names.push((own, Value::from(python_str(value))));
        } else {
            out.push_str(&format!("{{{name}{spec}}}"));
        }
    }
    Ok(out + rest)
}
