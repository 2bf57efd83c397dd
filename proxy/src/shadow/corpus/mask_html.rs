//! Masks pages: texts, attributes, addresses, scripts. What a page offers for choice is remembered, so that a replay can choose it.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::mask::{Masker, is_csrf_name, is_secret_name};
use super::mask_body::{by_form, looks_secret};

/// Attributes that say how a page is built, and nothing about anybody.
const STRUCTURE: &[&str] = &[
    "autocomplete",
    "charset",
    "class",
    "colspan",
    "cols",
    "enctype",
    "for",
    "form",
    "height",
    "http-equiv",
    "id",
    "lang",
    "max",
    "maxlength",
    "media",
    "method",
    "min",
    "minlength",
    "name",
    "rel",
    "role",
    "rows",
    "rowspan",
    "scope",
    "size",
    "step",
    "tabindex",
    "target",
    "type",
    "width",
];
/// Of these, the ones that hold names, which users may have given.
const NAMES: &[&str] = &["class", "for", "form", "id", "name", "rel", "role", "target"];
/// Attributes that hold texts.
const TEXTS: &[&str] =
    &["value", "title", "alt", "placeholder", "content", "aria-label", "label", "summary", "srcdoc"];
/// Attributes that hold addresses.
const ADDRESSES: &[&str] = &["href", "action", "src", "formaction", "cite", "data", "poster"];

impl Masker {
    /// A page.
    pub(super) fn html(&mut self, page: &str) -> String {
        static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(r#"(?s)<!--.*?-->|<(?:script|style)\b.*?</(?:script|style)\s*>|<[a-zA-Z/!](?:"[^"]*"|'[^']*'|[^"'>])*>"#).ok()
        });
        let Some(tags) = TAG.as_ref() else { return self.fingerprint(page.as_bytes()) };
        for found in tags.find_iter(page) {
            self.learn_choice(found.as_str());
        }
        let mut out = String::with_capacity(page.len());
        let mut rest = 0;
        for found in tags.find_iter(page) {
            out.push_str(&self.between(&page[rest..found.start()]));
            out.push_str(&self.tag(found.as_str()));
            rest = found.end();
        }
        out.push_str(&self.between(&page[rest..]));
        out
    }

    /// `<option value>`, radio buttons, boxes and buttons: a replay must send what they offer.
    fn learn_choice(&mut self, tag: &str) {
        let lower = tag.to_ascii_lowercase();
        let choice = lower.starts_with("<option")
            || lower.starts_with("<button")
            || (lower.starts_with("<input")
                && ["radio", "checkbox", "hidden", "submit"]
                    .iter()
                    .any(|kind| lower.contains(&format!("type=\"{kind}\""))));
        if let Some(value) = choice.then(|| attribute(tag, "value")).flatten()
            && !looks_secret(&value)
        {
            self.learn_code(&value);
        }
    }

    /// Text, entities left as they are.
    fn between(&self, text: &str) -> String {
        static ENTITY: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"&#?[a-zA-Z0-9]{1,31};").ok());
        let Some(entities) = ENTITY.as_ref() else { return self.text(text) };
        let mut out = String::new();
        let mut rest = 0;
        for found in entities.find_iter(text) {
            out.push_str(&self.text(&text[rest..found.start()]));
            out.push_str(found.as_str());
            rest = found.end();
        }
        out.push_str(&self.text(&text[rest..]));
        out
    }

    /// Names with blanks between them: those that a program would give stay.
    fn names(&self, names: &str) -> String {
        let name = |name: &str| {
            if crate::shadow::mask::is_plain_name(name) { name.to_owned() } else { self.text(name) }
        };
        names.split(' ').map(name).collect::<Vec<_>>().join(" ")
    }

    fn tag(&self, tag: &str) -> String {
        static ATTRIBUTE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            Regex::new(
                r#"(?s)(\s)([a-zA-Z_:][-a-zA-Z0-9_:.]*)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+))"#,
            )
            .ok()
        });
        let lower = tag.to_ascii_lowercase();
        if lower.starts_with("<!--") {
            return String::new();
        }
        if lower.starts_with("<script") || lower.starts_with("<style") {
            return match tag.split_once('>') {
                Some((open, rest)) if rest.len() > "</script>".len() => {
                    format!(
                        "{}>{}</script>",
                        self.tag(&format!("{open} ")).trim_end(),
                        self.fingerprint(rest.as_bytes())
                    )
                }
                _ => tag.to_owned(),
            };
        }
        let name = attribute(tag, "name").unwrap_or_default();
        let Some(attributes) = ATTRIBUTE.as_ref() else { return String::new() };
        let masked = |found: &Captures<'_>| {
            let value =
                (4..=6).find_map(|group| found.get(group)).map(|value| value.as_str()).unwrap_or_default();
            let key = found[2].to_ascii_lowercase();
            let value = if matches!(key.as_str(), "value" | "content") && is_csrf_name(&name) {
                "{{csrf}}".to_owned()
            } else if key == "value" && is_secret_name(&name) && !value.is_empty() {
                "{{secret}}".to_owned()
            } else if key == "value" && looks_secret(value) {
                format!("{{{{field {name}}}}}")
            } else if key == "value" && self.codes.contains(value) {
                value.to_owned()
            } else if TEXTS.contains(&key.as_str()) {
                self.between(value)
            } else if ADDRESSES.contains(&key.as_str()) {
                self.address(&value.replace("&amp;", "&")).replace('&', "&amp;")
            } else if self.live && !STRUCTURE.contains(&key.as_str()) {
                self.between(value)
            } else if self.live && NAMES.contains(&key.as_str()) {
                self.names(value)
            } else {
                by_form(value)
            };
            format!("{}{}{}\"{value}\"", &found[1], &found[2], &found[3])
        };
        attributes.replace_all(tag, masked).into_owned()
    }
}

/// The value of an attribute in a tag.
pub(in crate::shadow) fn attribute(tag: &str, name: &str) -> Option<String> {
    static ATTRIBUTE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r#"(?s)\s([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')"#).ok());
    let found = ATTRIBUTE.as_ref()?.captures_iter(tag).find(|found| found[1].eq_ignore_ascii_case(name))?;
    let value = found.get(2).or_else(|| found.get(3))?.as_str();
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&#34;", "\""), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (from, to)| value.replace(from, to)))
}
