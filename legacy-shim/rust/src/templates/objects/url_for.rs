//! `url_for(endpoint, **values)`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use crate::routing;
use crate::templates::page::{Page, failed};
use crate::templates::text::python_str;

/// Builds the URL through the request's map. `.name` is an endpoint of the request's blueprint.
pub(in crate::templates) fn url_for(page: &Page, endpoint: &str, values: &Kwargs) -> Result<String, Error> {
    let endpoint = match (endpoint.strip_prefix('.'), page.request.blueprint()) {
        (Some(name), Some(blueprint)) => format!("{blueprint}.{name}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => endpoint.to_owned(),
    };
    let mut given = Vec::new();
    for name in values.args().filter(|name| !["_external", "_anchor", "_scheme", "_method"].contains(name)) {
        given.push((name, to_routing(&values.get::<Value>(name)?)));
    }
    let text = |name: &str| -> Result<Option<String>, Error> {
        let value: Option<Value> = values.get(name)?;
        Ok(value.filter(|value| !value.is_none()).map(|value| python_str(&value)))
    };
    let (scheme, anchor, method) = (text("_scheme")?, text("_anchor")?, text("_method")?);
    let external: Option<Value> = values.get("_external")?;
    let url = page.request.url();
    let to = routing::UrlFor {
        host: &url.host,
        scheme: scheme.as_deref().unwrap_or(&url.scheme),
        request_method: page.request.method(),
        method: method.as_deref(),
        external: external.is_some_and(|value| value.is_true()),
        anchor: anchor.as_deref(),
        ..routing::UrlFor::default()
    };
    page.request.map().build(&endpoint, &given, &to).map_err(failed)
}

/// A value of the URL for templates.
pub(super) fn from_routing(value: &routing::Value) -> Value {
    match value {
        routing::Value::None => Value::from(()),
        routing::Value::Bool(flag) => Value::from(*flag),
        routing::Value::Float(number) => Value::from(*number),
        routing::Value::List(items) => items.iter().map(from_routing).collect(),
        routing::Value::Int(number) => {
            let digits = number.to_string();
            digits.parse::<i128>().map_or_else(|_| Value::from(digits), Value::from)
        }
        routing::Value::Str(text) | routing::Value::Uuid(text) => Value::from(text.as_str()),
    }
}

fn to_routing(value: &Value) -> routing::Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => routing::Value::None,
        ValueKind::Bool => routing::Value::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64().filter(|_| value.is_integer()) {
            Some(number) => routing::Value::from(number),
            None => f64::try_from(value.clone()).map_or(routing::Value::None, routing::Value::Float),
        },
        ValueKind::Seq | ValueKind::Iterable => routing::Value::List(
            value.try_iter().into_iter().flatten().map(|item| to_routing(&item)).collect(),
        ),
        _ => routing::Value::from(python_str(value)),
    }
}
