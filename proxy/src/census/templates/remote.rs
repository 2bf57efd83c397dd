//! Values that Python wrote down or lent. What is lent is asked for its attributes, items, text and results.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::{Map, Value as Json, json};

use super::line::Line;

/// An object of the application.
#[derive(Debug)]
pub(super) struct Remote {
    line: Arc<Line>,
    number: u64,
    facts: Facts,
}

#[derive(Debug)]
struct Facts {
    callable: bool,
    iterable: bool,
    mapping: bool,
    truth: bool,
    html: bool,
}

fn failed(message: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_string())
}

/// The value of an answer.
pub(super) fn answer(line: &Arc<Line>, question: &Json) -> Result<Value, Error> {
    let mut answer = line.ask(question).map_err(failed)?;
    match answer.get("error").and_then(Json::as_str) {
        Some(error) => Err(failed(error)),
        None => read(line, answer["value"].take()),
    }
}

/// A value from Python.
pub(super) fn read(line: &Arc<Line>, value: Json) -> Result<Value, Error> {
    Ok(match value {
        Json::Null => Value::from(()),
        Json::Bool(flag) => Value::from(flag),
        Json::String(text) => Value::from(text),
        Json::Object(fields) => return object(line, fields),
        other => return Err(failed(format!("the shim sent {other}"))),
    })
}

fn object(line: &Arc<Line>, mut fields: Map<String, Json>) -> Result<Value, Error> {
    let flag = |name: &str| fields.get(name).and_then(Json::as_bool).unwrap_or(false);
    if let Some(number) = fields.get("object").and_then(Json::as_u64) {
        let facts = Facts {
            callable: flag("callable"),
            iterable: flag("iterable"),
            mapping: flag("mapping"),
            truth: flag("true"),
            html: flag("html"),
        };
        return Ok(Value::from_object(Remote { line: Arc::clone(line), number, facts }));
    }
    let Some(kind) = fields.keys().next().cloned() else { return Err(failed("the shim sent nothing")) };
    match (kind.as_str(), fields[&kind].take()) {
        ("undefined", _) => Ok(Value::UNDEFINED),
        ("safe", Json::String(text)) => Ok(Value::from_safe_string(text)),
        ("number", Json::String(text)) => {
            let integer = text.parse::<i128>().map(Value::from);
            integer.or_else(|_| text.parse::<f64>().map(Value::from)).map_err(failed)
        }
        ("list", Json::Array(items)) => Ok(Value::from(all(line, items)?)),
        ("tuple", Json::Array(items)) => Ok(Value::from(Tuple::new(all(line, items)?))),
        ("dict", Json::Array(pairs)) => {
            let mut read_pairs = Vec::with_capacity(pairs.len());
            for mut pair in pairs {
                read_pairs.push((read(line, pair[0].take())?, read(line, pair[1].take())?));
            }
            Ok(Value::from_pairs(read_pairs))
        }
        (kind, _) => Err(failed(format!("the shim sent a `{kind}`"))),
    }
}

fn all(line: &Arc<Line>, items: Vec<Json>) -> Result<Vec<Value>, Error> {
    items.into_iter().map(|item| read(line, item)).collect()
}

/// A value for Python.
fn write(value: &Value) -> Result<Json, Error> {
    if let Some(remote) = value.downcast_object_ref::<Remote>() {
        return Ok(json!({"object": remote.number}));
    }
    let items =
        |value: &Value| value.try_iter()?.map(|item| write(&item)).collect::<Result<Vec<Json>, Error>>();
    Ok(match value.kind() {
        ValueKind::None => Json::Null,
        ValueKind::Undefined => json!({"undefined": true}),
        ValueKind::Bool => Json::Bool(value.is_true()),
        ValueKind::Number => json!({"number": flask_compat::templates::python_str(value)}),
        ValueKind::String if value.is_safe() => json!({"safe": value.to_string()}),
        ValueKind::String => Json::String(value.to_string()),
        ValueKind::Seq if value.is_tuple() => json!({"tuple": items(value)?}),
        ValueKind::Seq | ValueKind::Iterable => json!({"list": items(value)?}),
        ValueKind::Map => {
            let mut pairs = Vec::new();
            for key in value.try_iter()? {
                pairs.push(json!([write(&key)?, write(&value.get_item(&key)?)?]));
            }
            json!({"dict": pairs})
        }
        kind => return Err(failed(format!("a {kind} cannot be handed to Python"))),
    })
}

/// `question` with the arguments of a call, and its answer.
pub(super) fn call(line: &Arc<Line>, mut question: Json, args: &[Value]) -> Result<Value, Error> {
    let (places, named): (Rest<Value>, Kwargs) = from_args(args)?;
    let places: Vec<Json> = places.iter().map(write).collect::<Result<_, _>>()?;
    let mut names = Map::new();
    for name in named.args() {
        names.insert(name.to_owned(), write(&named.get(name)?)?);
    }
    question["args"] = Json::Array(places);
    question["named"] = Json::Object(names);
    answer(line, &question)
}

impl Remote {
    fn get(&self, key: &Value) -> Result<Value, Error> {
        answer(&self.line, &json!({"do": "get", "object": self.number, "key": write(key)?}))
    }
}

impl Object for Remote {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match (self.facts.mapping, self.facts.iterable) {
            (true, _) => ObjectRepr::Map,
            (false, true) => ObjectRepr::Iterable,
            (false, false) => ObjectRepr::Plain,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if key.as_str() == Some("__html__") {
            return self.facts.html.then(|| Value::from(true));
        }
        // An exception of a property becomes undefined here; Jinja2 rendered it, so it raised none.
        self.get(key).ok().filter(|value| !value.is_undefined())
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.get_value(&Value::from(key))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if !(self.facts.iterable || self.facts.mapping) {
            return Enumerator::NonEnumerable;
        }
        match answer_list(&self.line, self.number) {
            Ok(items) => Enumerator::Values(items),
            Err(_) => Enumerator::NonEnumerable,
        }
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.facts.truth
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        if !self.facts.callable {
            return Err(failed("this object of the application cannot be called"));
        }
        call(&self.line, json!({"do": "call", "object": self.number}), args)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let found = self.get(&Value::from(method))?;
        if found.is_undefined() {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        found.call(state, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            answer(&self.line, &json!({"do": "text", "object": self.number})).map_err(|_| fmt::Error)?;
        f.write_str(text.as_str().unwrap_or_default())
    }
}

fn answer_list(line: &Arc<Line>, number: u64) -> Result<Vec<Value>, Error> {
    let mut answer = line.ask(&json!({"do": "items", "object": number})).map_err(failed)?;
    match answer["value"].take() {
        Json::Array(items) => all(line, items),
        _ => Err(failed("it cannot be iterated over")),
    }
}
