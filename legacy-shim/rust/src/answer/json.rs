//! JSON bodies: `flask.jsonify` (sorted keys, no blanks) and Flask-RESTful's (order of insertion, blanks). Both ASCII
//! with a line feed at the end, numbers as Python writes them.

use serde::Serialize;
use serde_json::{Map, Value};

use super::error_page::description;
use crate::python::{float_repr, push_json_string};

/// The body of `flask.jsonify(value)` with Flask's default settings.
///
/// # Errors
/// `value` has no JSON form (map keys that are no text).
pub fn jsonify(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut writer = Writer { out: String::new(), item: ",", key: ":", sort: true };
    writer.value(&serde_json::to_value(value)?);
    Ok(writer.out + "\n")
}

/// The body of a Flask-RESTful resource that returned `value`.
///
/// # Errors
/// `value` has no JSON form (map keys that are no text).
pub fn restful_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut writer = Writer { out: String::new(), item: ", ", key: ": ", sort: false };
    writer.value(&serde_json::to_value(value)?);
    Ok(writer.out + "\n")
}

/// The body of `flask_restful.abort(code, **data)`: the text of the status as `message` unless `data` brings one.
#[must_use]
pub fn restful_error(code: u16, data: &Map<String, Value>) -> String {
    let mut body = data.clone();
    if !body.contains_key("message") {
        // Flask-RESTful adds its message only if abort() was given nothing.
        if body.is_empty() {
            body.insert("message".to_owned(), description(code).into());
        }
    }
    let mut writer = Writer { out: String::new(), item: ", ", key: ": ", sort: false };
    writer.value(&Value::Object(body));
    writer.out + "\n"
}

struct Writer {
    out: String,
    item: &'static str,
    key: &'static str,
    sort: bool,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
                Some(float) => self.out.push_str(&float_repr(float)),
                None => self.out.push_str(&number.to_string()),
            },
            Value::String(text) => push_json_string(&mut self.out, text, true),
            Value::Array(items) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index);
                    self.value(item);
                }
                self.out.push(']');
            }
            Value::Object(map) => self.object(map),
        }
    }

    fn object(&mut self, map: &Map<String, Value>) {
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        if self.sort {
            entries.sort_by_key(|(key, _)| *key);
        }
        self.out.push('{');
        for (index, (key, value)) in entries.into_iter().enumerate() {
            self.separate(index);
            push_json_string(&mut self.out, key, true);
            self.out.push_str(self.key);
            self.value(value);
        }
        self.out.push('}');
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(self.item);
        }
    }
}
