//! [`FormData`]: the names and values of a form body, as `request.form` has them.

use std::borrow::Cow;

use crate::Profile;
use crate::url::{Pairs, decode_pairs, encode_pairs};

/// A decoded `application/x-www-form-urlencoded` body: Werkzeug's `MultiDict`. Names may repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormData(Pairs);

impl FormData {
    /// Reads a body as Flask's `request.form` does. `+` and `%20` are blanks, only `&` separates. Bytes that are no UTF-8
    /// become U+FFFD with Werkzeug 1.0. Later ones keep them escaped (`%FF`), and take a body that holds them *unescaped*
    /// for no form at all.
    #[must_use]
    pub fn parse(body: &[u8], profile: Profile) -> FormData {
        if profile != Profile::Werkzeug10 && std::str::from_utf8(body).is_err() {
            return FormData::default();
        }
        FormData(decode_pairs(body, profile))
    }

    /// The first value, as `form.get(name)`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// All values in order, as `form.getlist(name)`.
    #[must_use]
    pub fn get_all(&self, name: &str) -> Vec<String> {
        self.0.get_all(name).map(str::to_owned).collect()
    }

    /// Whether the name was sent.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Whether nothing was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The body again, to be sent on.
    #[must_use]
    pub fn encode(&self) -> String {
        encode_pairs(self.iter())
    }
}

impl<'a, N: Into<Cow<'a, str>>, V: Into<Cow<'a, str>>> FromIterator<(N, V)> for FormData {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        FormData(Pairs(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into().into_owned(), value.into().into_owned()))
                .collect(),
        ))
    }
}
