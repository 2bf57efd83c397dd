//! `session` in templates, and session values on their way in and out of templates.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::DateTime;
use crate::session::Value as Stored;
use crate::templates::page::TemplateRequest;

/// `flask.session`.
pub(in crate::templates) struct SessionView(Arc<dyn TemplateRequest>);

impl std::fmt::Debug for SessionView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionView")
    }
}

impl SessionView {
    pub(in crate::templates) fn new(request: Arc<dyn TemplateRequest>) -> Self {
        Self(request)
    }
}

impl Object for SessionView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let session = self.0.session();
        let key = key.as_str()?;
        match session.get(key) {
            Some(value) => Some(from_session(value)),
            None if key == "permanent" => Some(Value::from(session.permanent())),
            None if key == "modified" => Some(Value::from(session.modified())),
            None => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.session().data().keys().map(|key| Value::from(key.as_str())).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let (key, default): (String, Option<Value>) = match method {
            "get" | "pop" => from_args(args)?,
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        let mut session = self.0.session();
        let found = if method == "get" { session.get(&key).cloned() } else { session.remove(&key) };
        Ok(found.as_ref().map_or_else(|| default.unwrap_or_else(|| Value::from(())), from_session))
    }
}

/// A session's value for a template.
#[must_use]
pub fn from_session(value: &Stored) -> Value {
    match value {
        Stored::Null => Value::from(()),
        Stored::Bool(flag) => Value::from(*flag),
        Stored::Int(number) => Value::from(*number),
        Stored::BigInt(digits) => {
            digits.parse::<i128>().map_or_else(|_| Value::from(digits.as_str()), Value::from)
        }
        Stored::Float(number) => Value::from(*number),
        Stored::Str(text) => Value::from(text.as_str()),
        Stored::List(items) => items.iter().map(from_session).collect(),
        Stored::Tuple(items) => Value::from(Tuple::new(items.iter().map(from_session).collect())),
        Stored::Map(map) => {
            Value::from_pairs(map.iter().map(|(key, value)| (key.as_str(), from_session(value))))
        }
        Stored::Bytes(bytes) => Value::from_bytes(bytes.clone()),
        Stored::Markup(text) => Value::from_safe_string(text.clone()),
        Stored::Uuid(number) => {
            let hex = format!("{number:032x}");
            Value::from(format!(
                "{}-{}-{}-{}-{}",
                &hex[..8],
                &hex[8..12],
                &hex[12..16],
                &hex[16..20],
                &hex[20..]
            ))
        }
        Stored::DateTime(unix) => chrono::DateTime::from_timestamp(*unix, 0)
            .map_or_else(|| Value::from(()), |moment| DateTime::from(moment.naive_utc()).into()),
    }
}

/// A template's value for the session (a flash message, say). What a session cannot hold becomes its text.
#[must_use]
pub fn to_session(value: &Value) -> Stored {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Stored::Null,
        ValueKind::Bool => Stored::Bool(value.is_true()),
        ValueKind::Number => match value.as_i64() {
            Some(number) if value.is_integer() => Stored::Int(number),
            _ if value.is_integer() => Stored::BigInt(value.to_string()),
            _ => f64::try_from(value.clone()).map_or(Stored::Null, Stored::from),
        },
        ValueKind::String if value.is_safe() => Stored::Markup(value.to_string()),
        ValueKind::Bytes => Stored::Bytes(value.as_bytes().unwrap_or_default().to_vec()),
        ValueKind::Seq if value.is_tuple() => Stored::Tuple(items(value)),
        ValueKind::Seq | ValueKind::Iterable => Stored::List(items(value)),
        ValueKind::Map if value.downcast_object_ref::<DateTime>().is_none() => {
            let keys = value.try_iter().into_iter().flatten();
            let entry = |key: Value| (key.to_string(), to_session(&value.get_item(&key).unwrap_or_default()));
            Stored::Map(keys.map(entry).collect())
        }
        _ => Stored::Str(value.to_string()),
    }
}

fn items(value: &Value) -> Vec<Stored> {
    value.try_iter().into_iter().flatten().map(|item| to_session(&item)).collect()
}
