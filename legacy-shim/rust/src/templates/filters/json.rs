//! `tojson`: Flask's `htmlsafe_dumps`, with sorted keys and Python's blanks.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, Value};

use crate::python::{float_repr, push_json_string};
use crate::templates::text::python_str;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("tojson", tojson);
}

fn tojson(value: &Value, indent: Option<usize>, kwargs: Kwargs) -> Result<Value, Error> {
    let indent = indent.or(kwargs.get("indent")?).map(|width| width.min(32));
    let mut writer = Writer { out: String::new(), indent, depth: 0 };
    writer.value(value)?;
    let safe = writer
        .out
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\'', "\\u0027");
    Ok(Value::from_safe_string(safe))
}

struct Writer {
    out: String,
    indent: Option<usize>,
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        match value.kind() {
            ValueKind::Undefined | ValueKind::None => self.out.push_str("null"),
            ValueKind::Bool => self.out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if value.is_integer() => self.out.push_str(&value.to_string()),
            ValueKind::Number => self.out.push_str(&float_repr(f64::try_from(value.clone())?)),
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.group('[', ']', &items, |writer, item| writer.value(item))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<(String, Value)> =
                    value.try_iter()?.map(|key| (python_str(&key), key)).collect();
                keys.sort_by(|one, other| one.0.cmp(&other.0));
                self.group('{', '}', &keys, |writer, (name, key)| {
                    push_json_string(&mut writer.out, name, true);
                    writer.out.push_str(": ");
                    writer.value(&value.get_item(key)?)
                })?;
            }
            _ => push_json_string(&mut self.out, &python_str(value), true),
        }
        Ok(())
    }

    fn group<T>(
        &mut self,
        open: char,
        close: char,
        items: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        self.depth += 1;
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(if self.indent.is_some() { "," } else { ", " });
            }
            self.line();
            write(self, item)?;
        }
        self.depth -= 1;
        if !items.is_empty() {
            self.line();
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self) {
        if let Some(width) = self.indent {
            self.out.push('\n');
            self.out.push_str(&" ".repeat(width * self.depth));
        }
    }
}
