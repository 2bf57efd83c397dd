//! CSRF tokens in pages: two good ones never look the same, so they are compared by whether they are good.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use flask_compat::csrf::{Csrf, CsrfError};
use flask_compat::session::Session;
use regex::Regex;

/// Flask-WTF's tokens: forty hex digits as JSON, signed with a time stamp.
static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:I[A-Za-z0-9_-]{55}|\.eJ[A-Za-z0-9_-]{20,60})\.[A-Za-z0-9_-]{5,8}\.[A-Za-z0-9_-]{27}").ok()
});

/// What stands in the place of a token.
const MASK: &str = "{csrf token}";

/// Recognises the tokens of one side.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    /// Checks them; nobody can without the secret key.
    pub(super) csrf: Option<&'a Csrf>,
    /// The session that goes with the answer.
    pub(super) session: Option<&'a Session>,
    pub(super) now: i64,
}

impl Tokens<'_> {
    /// The text with a mark in place of each token.
    pub(super) fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match TOKEN.as_ref() {
            Some(token) if text.len() > MASK.len() => token.replace_all(text, MASK),
            _ => Cow::Borrowed(text),
        }
    }

    /// How the tokens of a text are: each word once.
    pub(super) fn states(&self, text: &str) -> BTreeSet<&'static str> {
        let found = TOKEN.as_ref().into_iter().flat_map(|token| token.find_iter(text));
        found.map(|token| self.state(token.as_str())).collect()
    }

    fn state(&self, token: &str) -> &'static str {
        let (Some(csrf), Some(session)) = (self.csrf, self.session) else { return "unchecked" };
        match csrf.validate(Some(token), session, self.now) {
            Ok(()) => "valid",
            Err(CsrfError::Expired) => "expired",
            Err(CsrfError::Mismatch) => "of another session",
            Err(CsrfError::SessionTokenMissing) => "without a session",
            Err(_) => "invalid",
        }
    }
}
