//! `"..." % x`: what `%s` and `%r` show is Python's text, escaped in safe texts; numbers are minijinja's.

use minijinja::formatting::{FormatStyle, format};
use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use crate::templates::text::{escape_value, html_of, python_repr, python_str};

/// `text % args`, where a dictionary alone gives names. Safe text stays safe, and what is put into it is escaped.
pub(in crate::templates) fn printf(text: &Value, args: &[Value]) -> Result<Value, Error> {
    let shown = python_str(text);
    let escaping = html_of(text).is_some();
    let wanted = conversions(&shown);
    let args: Vec<Value> = match args {
        [map] if map.kind() == ValueKind::Map && wanted.iter().any(|(name, _)| name.is_some()) => {
            let pairs = wanted.iter().filter_map(|(name, conversion)| {
                let name = (*name)?;
                let value = map.get_item(&Value::from(name)).ok().filter(|value| !value.is_undefined())?;
                Some((name, argument(&value, *conversion, escaping)))
            });
            vec![Value::from_pairs(pairs)]
        }
        _ => {
            let kind = |at: usize| wanted.get(at).map_or('s', |(_, conversion)| *conversion);
            args.iter().enumerate().map(|(at, value)| argument(value, kind(at), escaping)).collect()
        }
    };
    let out = format(FormatStyle::Printf, &texts_only(&shown), &args)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    Ok(if escaping { Value::from_safe_string(out) } else { Value::from(out) })
}

fn argument(value: &Value, conversion: char, escaping: bool) -> Value {
    let escaped = |text: String| if escaping { crate::answer::escape_markup(&text) } else { text };
    match conversion {
        's' if escaping => Value::from(escape_value(value)),
        's' => Value::from(python_str(value)),
        'r' | 'a' => Value::from(escaped(python_repr(value))),
        _ if value.kind() == ValueKind::Bool => Value::from(i64::from(value.is_true())),
        'd' | 'i' | 'u' if value.is_number() && !value.is_integer() => whole(value),
        _ => value.clone(),
    }
}

/// A float as `%d` takes it: without its fraction.
#[allow(clippy::cast_possible_truncation)] // beyond i128 it saturates, and is not finite here
fn whole(value: &Value) -> Value {
    match f64::try_from(value.clone()) {
        Ok(number) if number.is_finite() => Value::from(number.trunc() as i128),
        _ => value.clone(),
    }
}

/// The format with `%s` in place of `%r` and `%a`, whose arguments are texts already.
fn texts_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        let name = rest.starts_with('(').then(|| rest.find(')')).flatten().map_or(0, |end| end + 1);
        let flags = rest[name..].find(|c: char| !FLAGS.contains(&c)).unwrap_or(0);
        out.push_str(&rest[..name + flags]);
        rest = &rest[name + flags..];
        let conversion = rest.chars().next();
        out.extend(conversion.map(|c| if matches!(c, 'r' | 'a') { 's' } else { c }));
        rest = &rest[conversion.map_or(0, char::len_utf8)..];
    }
    out + rest
}

const FLAGS: [char; 20] =
    ['#', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', ' ', '+', '.', '*', 'h', 'l', 'L', '\''];

/// The conversions of a format, `%(name)-5s` and so on: their names, and what they convert to. Those that take their
/// width from an argument count for it (`*`).
fn conversions(text: &str) -> Vec<(Option<&str>, char)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at + 1..];
        let mut name = None;
        if let Some(inside) = rest.strip_prefix('(')
            && let Some(end) = inside.find(')')
        {
            name = Some(&inside[..end]);
            rest = &inside[end + 1..];
        }
        let Some(end) = rest
            .find(|c: char| !matches!(c, '#' | '0'..='9' | '-' | ' ' | '+' | '.' | '*' | 'h' | 'l' | 'L'))
        else {
            return found;
        };
        found.extend(rest[..end].matches('*').map(|_| (None, 'd')));
        let conversion = rest[end..].chars().next().unwrap_or_default();
        if conversion != '%' {
            found.push((name, conversion));
        }
        rest = &rest[end + conversion.len_utf8()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_found() {
        assert_eq!(
            conversions("%s 100%% %(a)-5.2f %*d %"),
            [(None, 's'), (Some("a"), 'f'), (None, 'd'), (None, 'd')]
        );
    }
}
