//! The session of one request: a dictionary that remembers whether it was read and whether it was changed.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Map, Value};
use crate::Profile;

/// `flask.session`. Changes inside of a value (a list in the session) are seen only through [`Session::set_modified`] or by
/// inserting the value again, as in Flask.
#[derive(Debug)]
pub struct Session {
    data: Map,
    modified: bool,
    accessed: AtomicBool,
    profile: Profile,
}

impl Clone for Session {
    fn clone(&self) -> Self {
        Self {
            data: self.data.clone(),
            modified: self.modified,
            accessed: AtomicBool::new(self.accessed()),
            profile: self.profile,
        }
    }
}

impl Session {
    /// A session as the cookie had it (empty if there was none): neither read nor changed.
    #[must_use]
    pub fn new(data: Map, profile: Profile) -> Self {
        Self { data, modified: false, accessed: AtomicBool::new(false), profile }
    }

    /// `session.get(key)`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.touch();
        self.data.get(key)
    }

    /// The string under this key.
    #[must_use]
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }

    /// `key in session`. Counts as access in Flask 3.1.3 only, which decides about `Vary`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.look();
        self.data.contains_key(key)
    }

    /// `session[key] = value`.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.changed();
        self.data.insert(key.into(), value.into());
    }

    /// `session.pop(key, None)`: a change only if the key was there.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.look();
        let value = self.data.shift_remove(key)?;
        self.changed();
        Some(value)
    }

    /// `session.clear()`: a change in any case.
    pub fn clear(&mut self) {
        self.data.clear();
        self.changed();
    }

    /// `not session`.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.look();
        self.data.is_empty()
    }

    /// All keys and values, in order. Does not count as access before Flask 3.1.3.
    #[must_use]
    pub fn data(&self) -> &Map {
        self.look();
        &self.data
    }

    /// `session.permanent`.
    #[must_use]
    pub fn permanent(&self) -> bool {
        self.get("_permanent").is_some_and(Value::is_true)
    }

    /// `session.permanent = flag`.
    pub fn set_permanent(&mut self, flag: bool) {
        self.insert("_permanent", flag);
    }

    /// Flask-Login's user id (`_user_id`), as text. `None`: nobody is logged in (a remember cookie may still say who it is).
    #[must_use]
    pub fn user_id(&self) -> Option<String> {
        match self.get("_user_id")? {
            Value::Str(text) | Value::Markup(text) => Some(text.clone()),
            Value::Int(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// Whether it was changed.
    #[must_use]
    pub fn modified(&self) -> bool {
        self.modified
    }

    /// `session.modified = True`: a change that does not count as access (before Flask 3.1.3).
    pub fn set_modified(&mut self) {
        self.modified = true;
        self.look();
    }

    /// Whether it was read or changed.
    #[must_use]
    pub fn accessed(&self) -> bool {
        self.accessed.load(Ordering::Relaxed)
    }

    /// Marks the session as read.
    pub fn touch(&self) {
        self.accessed.store(true, Ordering::Relaxed);
    }

    fn changed(&mut self) {
        self.modified = true;
        self.touch();
    }

    /// An access that only Flask 3.1.3 counts.
    fn look(&self) {
        if self.profile == Profile::Werkzeug31 {
            self.touch();
        }
    }

    /// The content without marking it as read: for saving and for diagnosis.
    pub(crate) fn peek(&self) -> &Map {
        &self.data
    }
}
