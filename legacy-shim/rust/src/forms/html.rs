//! HTML attributes as WTForms writes them: sorted, escaped, `True` as a bare name, `False` left out.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::version::Version;
use crate::answer::escape_markup;

/// The value of an HTML attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `True` writes the bare name, `False` nothing.
    Flag(bool),
    /// Escaped when written.
    Text(String),
    /// Markup that is escaped already.
    Safe(String),
}

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Attribute::Flag(value)
    }
}

macro_rules! attribute_from {
    ($($type:ty),*) => {
        $(impl From<$type> for Attribute {
            fn from(value: $type) -> Self {
                Attribute::Text(value.to_string())
            }
        })*
    };
}

attribute_from!(&str, String, i32, i64, u32, u64, usize);

/// Attributes by name. Python sorts by code point, Rust by UTF-8 byte: the same order.
pub(super) type Attributes = BTreeMap<String, Attribute>;

/// Names as `render_kw` and keyword arguments may spell them: WTForms 3 tidies before it merges, 2 when it writes.
pub(super) fn merge_key(key: &str, version: Version) -> String {
    match version {
        Version::Two => key.to_owned(),
        Version::Three => clean_key(key),
    }
}

fn clean_key(key: &str) -> String {
    dashed(key.trim_end_matches('_'))
}

fn dashed(key: &str) -> String {
    if key.starts_with("data_") || key.starts_with("aria_") { key.replace('_', "-") } else { key.to_owned() }
}

fn written_key(key: &str, version: Version) -> String {
    match (version, key) {
        (Version::Three, _) => escape_markup(&clean_key(key)),
        (Version::Two, "class_" | "class__" | "for_") => key[..key.len() - 1].to_owned(),
        (Version::Two, _) => dashed(key),
    }
}

/// `html_params(**attributes)`.
pub(super) fn html_params(attributes: &Attributes, version: Version) -> String {
    let mut out = String::new();
    for (key, value) in attributes {
        let text = match value {
            Attribute::Flag(false) => continue,
            Attribute::Flag(true) => None,
            Attribute::Text(text) => Some(escape_markup(text)),
            Attribute::Safe(markup) if version == Version::Three => Some(markup.replace('"', "&quot;")),
            Attribute::Safe(markup) => Some(markup.clone()),
        };
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&written_key(key, version));
        if let Some(text) = text {
            let _ = write!(out, "=\"{text}\"");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_attributes_like_each_version() {
        let attributes: Attributes = [
            ("class_", Attribute::from("a \"b\"")),
            ("checked", true.into()),
            ("readonly", false.into()),
            ("data_x_y", 3.into()),
            ("type_", "x".into()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into();
        assert_eq!(
            html_params(&attributes, Version::Two),
            "checked class=\"a &#34;b&#34;\" data-x-y=\"3\" type_=\"x\""
        );
        assert_eq!(
            html_params(&attributes, Version::Three),
            "checked class=\"a &#34;b&#34;\" data-x-y=\"3\" type=\"x\""
        );
    }
}
