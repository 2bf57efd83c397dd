//! Query strings and `application/x-www-form-urlencoded` bodies.

use std::collections::HashSet;

use super::quote::{percent_decode_lossy, quote_with, unquote_some};
use crate::Profile;

/// Names and values in their order, names repeated: Werkzeug's `MultiDict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Pairs {
    /// The first value, as `args.get(name)`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// All values, as `args.getlist(name)`.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the name is there.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The names, each once, in order of first appearance.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        // The client chooses how many there are: no looking through the list for each of them.
        let mut seen = HashSet::new();
        self.0.iter().map(|(name, _)| name.as_str()).filter(|name| seen.insert(*name)).collect()
    }
}

/// Reads `a=1&b=two+words`. Bytes that are no UTF-8 become U+FFFD with Werkzeug 1.0 and stay escaped with later ones
/// (`request.args`; what their forms do with such bytes is not imitated).
#[must_use]
pub fn decode_pairs(query: &[u8], profile: Profile) -> Pairs {
    let text = |part: &[u8]| {
        let part: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        match profile {
            Profile::Werkzeug10 => percent_decode_lossy(&part),
            _ => unquote_some(&part, |_| true),
        }
    };
    let pairs = query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    Pairs(
        pairs
            .map(|pair| match pair.iter().position(|byte| *byte == b'=') {
                Some(at) => (text(&pair[..at]), text(&pair[at + 1..])),
                None => (text(pair), String::new()),
            })
            .collect(),
    )
}

/// Writes `a=1&b=two+words` as `url_encode` and `urlencode` do.
#[must_use]
pub fn encode_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let quote = |text: &str| quote_with(text.as_bytes(), " ").replace(' ', "+");
    let written: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", quote(name), quote(value))).collect();
    written.join("&")
}
