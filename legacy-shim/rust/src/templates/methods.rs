//! Methods of Python's types that templates call: what minijinja-contrib's pycompat has, and more of `str` and `list`.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::filters::centered;
use super::text::{escape_value, python_str};

/// Called for every method that minijinja does not know.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let found = match value.kind() {
        ValueKind::String => string(value, method, args)?,
        ValueKind::Seq => list(value, method, args)?,
        _ => None,
    };
    match found {
        Some(found) => Ok(found),
        None => {
            let result = minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)?;
            Ok(keep_mark(value, method, result))
        }
    }
}

/// Methods of `Markup` give `Markup`.
fn keep_mark(value: &Value, method: &str, result: Value) -> Value {
    const KEPT: [&str; 9] =
        ["upper", "lower", "strip", "lstrip", "rstrip", "title", "capitalize", "swapcase", "zfill"];
    match result.as_str() {
        Some(text) if value.is_safe() && KEPT.contains(&method) => Value::from_safe_string(text.to_owned()),
        _ => result,
    }
}

fn string(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let text = value.as_str().unwrap_or_default();
    let made = match method {
        "zfill" => zfill(text, from_args::<(usize,)>(args)?.0),
        "center" | "ljust" | "rjust" => {
            let (width, fill): (usize, Option<char>) = from_args(args)?;
            padded(text, method, width.min(10_000), fill.unwrap_or(' '))
        }
        "title" => title(text),
        "swapcase" => text.chars().map(swapped).collect(),
        "casefold" => text.to_lowercase(),
        "expandtabs" => text.replace('\t', "        "),
        "index" | "rindex" => {
            let (wanted,): (String,) = from_args(args)?;
            let at = if method == "index" { text.find(&wanted) } else { text.rfind(&wanted) };
            let at = at.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "substring not found"))?;
            return Ok(Some(Value::from(text[..at].chars().count())));
        }
        "partition" | "rpartition" => {
            let (separator,): (String,) = from_args(args)?;
            return Ok(Some(partition(text, &separator, method == "rpartition")));
        }
        "rsplit" => return rsplit(text, args).map(Some),
        "encode" => return Ok(Some(Value::from_bytes(text.as_bytes().to_vec()))),
        "istitle" => return Ok(Some(Value::from(is_title(text)))),
        "removeprefix" => {
            text.strip_prefix(from_args::<(String,)>(args)?.0.as_str()).unwrap_or(text).to_owned()
        }
        "removesuffix" => {
            text.strip_suffix(from_args::<(String,)>(args)?.0.as_str()).unwrap_or(text).to_owned()
        }
        "format" => return super::str_format::format(value, text, args).map(Some),
        "replace" if value.is_safe() => {
            let (old, new, count): (String, Value, Option<i64>) = from_args(args)?;
            let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
            text.replacen(&old, &escape_value(&new), count)
        }
        "join" if value.is_safe() => {
            let parts: Vec<String> =
                from_args::<(Value,)>(args)?.0.try_iter()?.map(|item| escape_value(&item)).collect();
            return Ok(Some(Value::from_safe_string(parts.join(text))));
        }
        _ => return Ok(None),
    };
    Ok(Some(if value.is_safe() { Value::from_safe_string(made) } else { Value::from(made) }))
}

fn zfill(text: &str, width: usize) -> String {
    let pad = "0".repeat(width.min(10_000).saturating_sub(text.chars().count()));
    match text.strip_prefix(['+', '-']) {
        Some(digits) => format!("{}{pad}{digits}", &text[..1]),
        None => pad + text,
    }
}

fn padded(text: &str, method: &str, width: usize, fill: char) -> String {
    let pad = fill.to_string().repeat(width.saturating_sub(text.chars().count()));
    match method {
        "ljust" => format!("{text}{pad}"),
        "rjust" => format!("{pad}{text}"),
        _ => centered(text, width, fill),
    }
}

/// `str.title`: a letter is large behind what is none.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase())
        } else {
            out.extend(c.to_uppercase())
        }
        inside = c.is_alphabetic();
    }
    out
}

fn swapped(c: char) -> char {
    let other: String =
        if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() };
    let mut chars = other.chars();
    match (chars.next(), chars.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn partition(text: &str, separator: &str, from_right: bool) -> Value {
    let found = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Value::from(Tuple::new(parts.into_iter().map(Value::from).collect()))
}

fn rsplit(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (separator, most): (Option<String>, Option<i64>) = from_args(args)?;
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX).saturating_add(1);
    let mut parts: Vec<&str> = match &separator {
        Some(separator) => text.rsplitn(most, separator.as_str()).collect(),
        None if most > text.len() => text.split_whitespace().rev().collect(),
        None => text.trim().rsplitn(most, char::is_whitespace).map(str::trim).collect(),
    };
    parts.reverse();
    Ok(parts.into_iter().map(Value::from).collect())
}

fn is_title(text: &str) -> bool {
    let mut inside = false;
    let mut cased = false;
    for c in text.chars() {
        if (c.is_uppercase() && inside) || (c.is_lowercase() && !inside) {
            return false;
        }
        inside = c.is_alphabetic();
        cased |= inside;
    }
    cased
}

fn list(value: &Value, method: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    match method {
        "index" => {
            let (wanted,): (Value,) = from_args(args)?;
            let at = value.try_iter()?.position(|item| item == wanted);
            let missing =
                || Error::new(ErrorKind::InvalidOperation, format!("{} is not in list", python_str(&wanted)));
            at.map(|at| Some(Value::from(at))).ok_or_else(missing)
        }
        "copy" => Ok(Some(value.clone())),
        _ => Ok(None),
    }
}
