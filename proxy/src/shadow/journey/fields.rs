//! What pages have shown that a later form must send back: CSRF tokens and hidden fields.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::shadow::corpus::attribute;

/// The newest value of each field.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads a page.
    pub(super) fn read(&mut self, page: &str) {
        static TAG: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r#"(?is)<(?:input|meta)\b(?:"[^"]*"|'[^']*'|[^"'>])*>"#).ok());
        for tag in TAG.iter().flat_map(|tag| tag.find_iter(page)) {
            let value = attribute(tag.as_str(), "value").or_else(|| attribute(tag.as_str(), "content"));
            if let (Some(name), Some(value)) = (attribute(tag.as_str(), "name"), value) {
                self.0.insert(name, value);
            }
        }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    /// The field or the meta tag whose name says what it is.
    pub(super) fn csrf(&self) -> Option<String> {
        let exact = ["csrf_token", "csrf-token"].iter().find_map(|name| self.get(name));
        exact.or_else(|| {
            let is_token =
                |name: &str| ["csrf", "xsrf", "authenticity_token"].iter().any(|part| name.contains(part));
            self.0
                .iter()
                .find(|(name, _)| is_token(&name.to_ascii_lowercase()))
                .map(|(_, value)| value.clone())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_found_wherever_pages_put_them() {
        for page in [
            "<input id=\"csrf_token\" name=\"csrf_token\" type=\"hidden\" value=\"t\">",
            "<input value='t' type=hidden name='csrf_token'/>",
            "<meta name=\"csrf-token\" content=\"t\">",
            "<input type=\"hidden\" name=\"_xsrf\" value=\"t\">",
        ] {
            let mut fields = Fields::default();
            fields.read(page);
            assert_eq!(fields.csrf().as_deref(), Some("t"), "{page}");
        }
    }
}
