//! Tagged JSON, writing: `TaggedJSONSerializer.dumps`.

use std::fmt::Write as _;

use base64::Engine as _;

use super::{Map, TAGS, Value};
use crate::cookie::http_date;
use crate::python::{float_repr, push_json_string};

/// Writes a dictionary as Flask does: separators without blanks; `sort_keys` and `ascii` are Flask's defaults
/// (`JSON_SORT_KEYS`, `JSON_AS_ASCII`).
#[must_use]
pub fn write_tagged_json(map: &Map, sort_keys: bool, ascii: bool) -> String {
    let mut writer = Writer { out: String::new(), sort_keys, ascii };
    writer.map(map);
    writer.out
}

struct Writer {
    out: String,
    sort_keys: bool,
    ascii: bool,
}

impl Writer {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            Value::Int(number) => {
                let _ = write!(self.out, "{number}");
            }
            Value::BigInt(digits) => self.out.push_str(digits),
            Value::Float(number) => self.out.push_str(&float_repr(*number)),
            Value::Str(text) => self.string(text),
            Value::List(items) => self.list(items),
            Value::Map(map) => self.map(map),
            Value::Tuple(items) => self.tag(" t", |writer| writer.list(items)),
            Value::Bytes(bytes) => {
                let text = base64::engine::general_purpose::STANDARD.encode(bytes);
                self.tag(" b", |writer| writer.string(&text));
            }
            Value::Markup(text) => self.tag(" m", |writer| writer.string(text)),
            Value::Uuid(number) => self.tag(" u", |writer| writer.string(&format!("{number:032x}"))),
            Value::DateTime(unix) => self.tag(" d", |writer| writer.string(&http_date(*unix))),
        }
    }

    fn tag(&mut self, key: &str, inner: impl FnOnce(&mut Self)) {
        self.out.push('{');
        self.string(key);
        self.out.push(':');
        inner(self);
        self.out.push('}');
    }

    fn string(&mut self, text: &str) {
        push_json_string(&mut self.out, text, self.ascii);
    }

    fn list(&mut self, items: &[Value]) {
        self.out.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.value(item);
        }
        self.out.push(']');
    }

    fn map(&mut self, map: &Map) {
        // An object whose only key looks like a tag is marked, or the reader would take it for one.
        if let (1, Some((key, value))) = (map.len(), map.first())
            && TAGS.contains(&key.as_str())
        {
            self.tag(" di", |writer| writer.tag(&format!("{key}__"), |writer| writer.value(value)));
            return;
        }
        let mut entries: Vec<(&String, &Value)> = map.iter().collect();
        if self.sort_keys {
            entries.sort_by_key(|(key, _)| *key);
        }
        self.out.push('{');
        for (index, (key, value)) in entries.into_iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.string(key);
            self.out.push(':');
            self.value(value);
        }
        self.out.push('}');
    }
}
