//! Session protection: what happens to a session that comes from another address or browser.

use super::config::{LoginConfig, LoginVersion, Protection};
use crate::session::{Session, Value};

/// Everything Flask-Login keeps in a session.
const SESSION_KEYS: [&str; 6] = ["_user_id", "_remember", "_remember_seconds", "_id", "_fresh", "next"];

/// What [`protect`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protected {
    /// The session fits, or nobody checks.
    Fine,
    /// The login is still there but not fresh.
    Stale,
    /// The login was ended: the visitor is anonymous, the remember cookie is not to be looked at.
    Ended,
}

/// `_session_protection_failed()`: compares the identifier, changes the session accordingly.
pub fn protect(session: &mut Session, identifier: &str, config: &LoginConfig) -> Protected {
    if config.protection == Protection::Off || session.is_empty() {
        return Protected::Fine;
    }
    if session.get_str("_id") == Some(identifier) {
        return Protected::Fine;
    }
    if config.protection == Protection::Basic || session.permanent() {
        if config.version == LoginVersion::V05 || session.get("_fresh") != Some(&Value::Bool(false)) {
            session.insert("_fresh", false);
        }
        return Protected::Stale;
    }
    for key in SESSION_KEYS {
        session.remove(key);
    }
    session.insert("_remember", "clear");
    Protected::Ended
}
