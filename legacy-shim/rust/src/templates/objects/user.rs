//! `current_user`: the application's user with what Flask-Login's `UserMixin` adds, or nobody.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, State, Value};

#[derive(Debug)]
struct User {
    id: Option<String>,
    fields: Value,
}

/// A logged-in user: `fields` is whatever templates read (`name`, `role`, ...); `is_authenticated`, `is_active`,
/// `is_anonymous` and `get_id()` are added unless `fields` has them.
#[must_use]
pub fn authenticated_user(id: &str, fields: Value) -> Value {
    Value::from_object(User { id: Some(id.to_owned()), fields })
}

/// `AnonymousUserMixin`.
#[must_use]
pub fn anonymous_user() -> Value {
    Value::from_object(User { id: None, fields: Value::UNDEFINED })
}

/// The first if there is a user, else the second.
#[must_use]
pub fn user_with(id: Option<&str>, fields: Value) -> Value {
    id.map_or_else(anonymous_user, |id| authenticated_user(id, fields))
}

impl Object for User {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        if let Ok(value) = self.fields.get_item(key)
            && !value.is_undefined()
        {
            return Some(value);
        }
        let known = self.id.is_some();
        Some(match key.as_str()? {
            "is_authenticated" | "is_active" => Value::from(known),
            "is_anonymous" => Value::from(!known),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["is_authenticated", "is_active", "is_anonymous"])
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get_id" => Ok(Value::from(self.id.clone())),
            _ if self.fields.is_undefined() => Err(Error::from(ErrorKind::UnknownMethod)),
            _ => self.fields.call_method(state, method, args),
        }
    }
}
