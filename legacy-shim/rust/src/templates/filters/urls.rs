//! `urlencode`, `xmlattr`.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Value};

use crate::templates::text::{escape_value, python_str};
use crate::url::quote_with;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("urlencode", urlencode);
    env.add_filter("xmlattr", xmlattr);
}

/// A text is quoted, a dictionary or a list of pairs becomes a query string.
fn urlencode(value: &Value) -> Result<String, Error> {
    let quote = |value: &Value| quote_with(python_str(value).as_bytes(), " ").replace(' ', "%20");
    let plus = |value: &Value| quote_with(python_str(value).as_bytes(), " ").replace(' ', "+");
    let mut parts = Vec::new();
    match value.kind() {
        ValueKind::Map => {
            for key in value.try_iter()? {
                parts.push(format!("{}={}", plus(&key), plus(&value.get_item(&key)?)));
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for pair in value.try_iter()? {
                parts.push(format!(
                    "{}={}",
                    plus(&pair.get_item_by_index(0)?),
                    plus(&pair.get_item_by_index(1)?)
                ));
            }
        }
        _ => return Ok(quote(value).replace("%2F", "/")),
    }
    Ok(parts.join("&"))
}

/// ` class="x" id="7"`: attributes without a value are left out.
fn xmlattr(map: &Value, autospace: Option<bool>) -> Result<Value, Error> {
    let mut parts = Vec::new();
    for key in map.try_iter()? {
        let value = map.get_item(&key)?;
        if !value.is_none() && !value.is_undefined() {
            parts.push(format!("{}=\"{}\"", escape_value(&key), escape_value(&value)));
        }
    }
    let space = if autospace.unwrap_or(true) && !parts.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{space}{}", parts.join(" "))))
}
