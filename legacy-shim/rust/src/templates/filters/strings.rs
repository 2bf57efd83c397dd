//! Filters on text: escaping, cases, padding.

use minijinja::value::{Kwargs, Rest, StringInput};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::printf;
use crate::Profile;
use crate::templates::text::{escape_value, is_html, python_repr, python_str};

pub(super) fn add(env: &mut Environment<'static>, profile: Profile) {
    env.add_filter("replace", move |state: &mut State, text: &Value, args: Rest<Value>, kwargs: Kwargs| {
        replace(state, text, &args, &kwargs, profile)
    });
    env.add_filter("default", default);
    env.add_filter("d", default);
    env.add_filter("e", escape);
    env.add_filter("escape", escape);
    env.add_filter("forceescape", |value: &Value| Value::from_safe_string(force(value)));
    env.add_filter("string", string);
    env.add_filter("title", |text: StringInput| title(text.as_str()));
    env.add_filter("center", move |text: StringInput, width: Option<usize>| center(&text, width, profile));
    env.add_filter("striptags", |value: &Value| striptags(&python_str(value)));
    env.add_filter("wordcount", |value: &Value| word_count(&python_str(value)));
    env.add_filter("indent", indent);
    env.add_filter("join", join);
    env.add_filter("format", format);
    env.add_filter("pprint", pprint);
    env.add_filter("length", length);
    env.add_filter("count", length);
}

fn escape(value: &Value) -> Value {
    Value::from_safe_string(escape_value(value))
}

/// What is not defined has no items.
fn length(value: &Value) -> Result<usize, Error> {
    if value.is_undefined() { Ok(0) } else { minijinja::filters::length(value) }
}

/// `pprint.pformat`, as long as it is one line.
fn pprint(value: &Value) -> Result<String, Error> {
    let text = sorted_repr(value, 0)?;
    if text.chars().count() > 80 {
        return Err(Error::new(ErrorKind::InvalidOperation, "`pprint` of more than one line"));
    }
    Ok(text)
}

fn sorted_repr(value: &Value, depth: usize) -> Result<String, Error> {
    use minijinja::value::ValueKind;
    if depth > 20 {
        return Err(Error::new(ErrorKind::InvalidOperation, "`pprint` of too deep a value"));
    }
    if value.kind() == ValueKind::Map && python_repr(value).starts_with('{') {
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        keys.sort();
        let pair = |key: &Value| -> Result<String, Error> {
            Ok(format!("{}: {}", python_repr(key), sorted_repr(&value.get_item(key)?, depth + 1)?))
        };
        let pairs: Vec<String> = keys.iter().map(pair).collect::<Result<_, _>>()?;
        return Ok(format!("{{{}}}", pairs.join(", ")));
    }
    if value.kind() == ValueKind::Seq && !value.is_tuple() {
        let items: Vec<String> =
            value.try_iter()?.map(|item| sorted_repr(&item, depth + 1)).collect::<Result<_, _>>()?;
        return Ok(format!("[{}]", items.join(", ")));
    }
    Ok(python_repr(value))
}

fn force(value: &Value) -> String {
    crate::answer::escape_markup(&python_str(value))
}

fn string(value: &Value) -> Value {
    if is_html(value) { Value::from_safe_string(python_str(value)) } else { Value::from(python_str(value)) }
}

/// Jinja2's `title`: a letter is large at the start and after blanks, hyphens and opening brackets, small elsewhere. The
/// result is not safe, even of a safe text.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        let splits = c.is_whitespace() || matches!(c, '-' | '(' | '{' | '[' | '<');
        if start && !splits {
            out.extend(c.to_uppercase());
        } else {
            out.extend(c.to_lowercase());
        }
        start = splits;
    }
    out
}

/// `center(width=80)`. MarkupSafe 1 forgets that the text was safe.
fn center(text: &StringInput<'_>, width: Option<usize>, profile: Profile) -> Value {
    let made = centered(text.as_str(), width.unwrap_or(80).min(10_000), ' ');
    if profile == Profile::Werkzeug10 { Value::from(made) } else { text.preserve_safety(made) }
}

/// `str.center`: CPython puts the odd blank to the left if the width is odd.
pub(in crate::templates) fn centered(text: &str, width: usize, fill: char) -> String {
    let length = text.chars().count();
    let pad = width.saturating_sub(length);
    let left = pad / 2 + (pad & width & 1);
    let fill = |count: usize| fill.to_string().repeat(count);
    format!("{}{text}{}", fill(left), fill(pad - left))
}

/// `Markup(value).striptags()`: comments and tags out, blanks collapsed, entities resolved.
fn striptags(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        let tag = &rest[start..];
        let end = if tag.starts_with("<!--") {
            tag.find("-->").map(|at| at + 3)
        } else {
            tag.find('>').map(|at| at + 1)
        };
        let Some(end) = end else {
            rest = tag;
            break;
        };
        rest = &tag[end..];
    }
    out.push_str(rest);
    super::entities::unescape(&out.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Python's `\w+` counted.
fn word_count(text: &str) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !word(c)).filter(|part| !part.is_empty()).count()
}

fn indent(text: StringInput, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let width = args.first().cloned().or(kwargs.get("width")?);
    let flag = |at: usize, name: &str, old: &str| -> Result<bool, Error> {
        let value: Option<Value> = args.get(at).cloned().or(kwargs.get(name)?).or(kwargs.get(old)?);
        Ok(value.is_some_and(|value| value.is_true()))
    };
    let (first, blank) = (flag(1, "first", "indentfirst")?, flag(2, "blank", "blank")?);
    let pad = match width.as_ref().map_or(Some(4), Value::as_usize) {
        Some(count) => " ".repeat(count.min(1000)),
        None => width.as_ref().map(python_str).unwrap_or_default(),
    };
    let mut out = String::new();
    for (index, line) in text.as_str().split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        if (index > 0 || first) && (blank || !line.is_empty() || (index == 0 && first)) {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    Ok(text.preserve_safety(out))
}

/// `join`: escapes the parts if one of them, or the separator, is markup.
fn join(state: &mut State, list: &Value, separator: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let separator = separator.or(kwargs.get("d")?).unwrap_or_else(|| Value::from(""));
    let list = match kwargs.get::<Option<Value>>("attribute")? {
        Some(attribute) => {
            let by = Kwargs::from_iter([("attribute", attribute)]);
            state.apply_filter("map", &[list.clone(), Value::from(by)])?
        }
        None => list.clone(),
    };
    let items: Vec<Value> = list.try_iter()?.collect();
    let escaping = !matches!(state.auto_escape(), minijinja::AutoEscape::None);
    if escaping && (is_html(&separator) || items.iter().any(is_html)) {
        let parts: Vec<String> = items.iter().map(escape_value).collect();
        return Ok(Value::from_safe_string(parts.join(&escape_value(&separator))));
    }
    let parts: Vec<String> = items.iter().map(python_str).collect();
    Ok(Value::from(parts.join(&python_str(&separator))))
}

/// `"%s"|format(x)`, as `"%s" % (x,)`.
fn format(text: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let names: Vec<(String, Value)> =
        kwargs.args().map(|name| Ok((name.to_owned(), kwargs.get(name)?))).collect::<Result<_, Error>>()?;
    if names.is_empty() { printf(text, &args) } else { printf(text, &[Value::from_pairs(names)]) }
}

/// `default(default_value='', boolean=False)`.
fn default(value: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let named = |name: &str| kwargs.has(name).then(|| kwargs.get::<Value>(name)).transpose();
    let other = args.first().cloned().or(named("default_value")?).unwrap_or_else(|| Value::from(""));
    let boolean = args.get(1).cloned().or(named("boolean")?).is_some_and(|flag| flag.is_true());
    let missing = value.is_undefined() || (boolean && !value.is_true());
    Ok(if missing { other } else { value.clone() })
}

/// `replace(old, new, count=None)`. Markup stays markup: MarkupSafe 1 escapes both texts, later ones the new one.
fn replace(
    state: &State,
    text: &Value,
    args: &[Value],
    kwargs: &Kwargs,
    profile: Profile,
) -> Result<Value, Error> {
    let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
        let named: Option<Value> = kwargs.get(name)?;
        Ok(args.get(at).cloned().or(named))
    };
    let missing = || Error::new(ErrorKind::MissingArgument, "replace needs an old and a new text");
    let (old, new) = (argument(0, "old")?.ok_or_else(missing)?, argument(1, "new")?.ok_or_else(missing)?);
    let count = argument(2, "count")?.and_then(|count| count.as_usize()).unwrap_or(usize::MAX);
    let escaping = !matches!(state.auto_escape(), minijinja::AutoEscape::None);
    if !escaping || !(is_html(text) || is_html(&old) || is_html(&new)) {
        return Ok(Value::from(python_str(text).replacen(&python_str(&old), &python_str(&new), count)));
    }
    let old = if profile == Profile::Werkzeug10 { escape_value(&old) } else { python_str(&old) };
    Ok(Value::from_safe_string(escape_value(text).replacen(&old, &escape_value(&new), count)))
}
