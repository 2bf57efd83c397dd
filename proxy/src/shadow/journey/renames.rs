//! Ids that a server gave in the place of those in the corpus: `/customers/101` there is `/customers/205` here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use http::header::LOCATION;
use regex::{Captures, Regex};
use serde_json::Value;

use crate::shadow::compare::Answer;
use crate::shadow::corpus::{encode, pairs};

/// By what the ids are of (the part of a path in front of them): old id, new id.
#[derive(Debug, Clone, Default)]
pub struct Renames(BTreeMap<(String, String), String>);

impl Renames {
    /// Whether no id is another one.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Learns from two answers to the same request.
    pub fn learn(&mut self, target: &str, there: &Answer, here: &Answer) {
        if there.status != here.status {
            return;
        }
        let location =
            |answer: &Answer| Some(path_of(answer.headers.get(LOCATION)?.to_str().ok()?).to_owned());
        if let (Some(there), Some(here)) = (location(there), location(here)) {
            self.learn_paths(&there, &here);
        }
        let created = there.status == 201 || !(200..300).contains(&there.status);
        let document = |answer: &Answer| serde_json::from_slice::<Value>(&answer.body).ok();
        if created
            && let (Some(Value::Object(there)), Some(Value::Object(here))) = (document(there), document(here))
        {
            let segments: Vec<&str> = path_of(target).split('/').collect();
            let of = segments
                .iter()
                .rev()
                .find(|part| !part.is_empty() && !is_id(part))
                .copied()
                .unwrap_or_default();
            if let (Some(there), Some(here)) = (there.get("id"), here.get("id")) {
                self.insert(of, &plain(there), &plain(here));
            }
        }
    }

    fn learn_paths(&mut self, there: &str, here: &str) {
        let (one, other): (Vec<&str>, Vec<&str>) = (there.split('/').collect(), here.split('/').collect());
        if one.len() != other.len() {
            return;
        }
        for index in 1..one.len() {
            if is_id(one[index]) && is_id(other[index]) {
                self.insert(one[index - 1], one[index], other[index]);
            } else if one[index] != other[index] {
                return;
            }
        }
    }

    fn insert(&mut self, of: &str, there: &str, here: &str) {
        if there != here {
            self.0.insert((of.to_owned(), there.to_owned()), here.to_owned());
        }
    }

    fn get(&self, of: &str, id: &str) -> Option<&String> {
        self.0.get(&(of.to_owned(), id.to_owned()))
    }

    /// `customer_id` is about `customers`.
    fn by_field(&self, field: &str, id: &str) -> Option<&String> {
        let stem = field.strip_suffix("_id").filter(|stem| !stem.is_empty())?;
        self.0.iter().find(|((of, old), _)| old == id && of.starts_with(stem)).map(|(_, new)| new)
    }

    /// Path and query as this server knows them.
    pub fn target(&self, target: &str) -> String {
        if self.0.is_empty() {
            return target.to_owned();
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = self.path(path);
        query.map_or(path.clone(), |query| format!("{path}?{}", self.form(query)))
    }

    fn path(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('/').collect();
        let renamed = |index: usize| {
            let known = index.checked_sub(1).and_then(|before| self.get(parts[before], parts[index]));
            known.map_or(parts[index], String::as_str)
        };
        (0..parts.len()).map(renamed).collect::<Vec<_>>().join("/")
    }

    /// A form or a query.
    pub fn form(&self, form: &str) -> String {
        if self.0.is_empty() {
            return form.to_owned();
        }
        let shown = |(name, value): (String, Option<String>)| {
            let Some(value) = value else { return encode(&name) };
            let value = self.by_field(&name, &value).cloned().unwrap_or(value);
            format!("{}={}", encode(&name), encode(&value))
        };
        pairs(form).into_iter().map(shown).collect::<Vec<_>>().join("&")
    }

    /// The value of a field.
    pub fn field(&self, name: &str, value: &str) -> String {
        self.by_field(name, value).cloned().unwrap_or_else(|| value.to_owned())
    }

    /// A JSON document.
    pub fn document(&self, text: &str) -> String {
        match serde_json::from_str(text) {
            Ok(mut document) if !self.0.is_empty() => {
                self.renamed("", &mut document);
                document.to_string()
            }
            _ => text.to_owned(),
        }
    }

    fn renamed(&self, field: &str, value: &mut Value) {
        match value {
            Value::Object(map) => map.iter_mut().for_each(|(key, value)| self.renamed(key, value)),
            Value::Array(items) => items.iter_mut().for_each(|item| self.renamed(field, item)),
            Value::Number(number) => {
                let new = self.by_field(field, &number.to_string()).and_then(|new| new.parse::<i64>().ok());
                *value = new.map_or_else(|| value.clone(), Value::from);
            }
            Value::String(text) => {
                if let Some(new) = self.by_field(field, text) {
                    new.clone_into(text);
                }
            }
            _ => {}
        }
    }

    /// An answer as this server would have written it: addresses in pages and headers, ids in documents.
    pub fn answer(&self, target: &str, answer: &Answer) -> Answer {
        static PATH: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"([\w-]+)/([0-9a-fA-F-]+)\b").ok());
        let mut out = answer.clone();
        let (Some(paths), false) = (PATH.as_ref(), self.0.is_empty()) else { return out };
        let renamed = |text: &str| {
            let replace = |found: &Captures<'_>| match self.get(&found[1], &found[2]) {
                Some(new) => format!("{}/{new}", &found[1]),
                None => found[0].to_owned(),
            };
            paths.replace_all(text, replace).into_owned()
        };
        if let Some(location) = answer.headers.get(LOCATION).and_then(|value| value.to_str().ok())
            && let Ok(location) = renamed(location).parse()
        {
            out.headers.insert(LOCATION, location);
        }
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            let text = renamed(text);
            out.body = match serde_json::from_str::<Value>(&text) {
                Ok(mut document @ (Value::Object(_) | Value::Array(_))) => {
                    let segments: Vec<&str> = path_of(target).split('/').collect();
                    let of = segments.iter().rev().find(|part| !part.is_empty() && !is_id(part)).copied();
                    self.own_ids(of.unwrap_or_default(), &mut document);
                    self.renamed("", &mut document);
                    document.to_string().into()
                }
                _ => text.into(),
            };
        }
        out
    }

    /// `id` in a document of `/customers` is the id of a customer.
    fn own_ids(&self, of: &str, value: &mut Value) {
        match value {
            Value::Object(map) => {
                if let Some(id) = map.get_mut("id")
                    && let Some(new) = self.get(of, &plain(id))
                {
                    *id = new.parse::<i64>().map_or_else(|_| Value::String(new.clone()), Value::from);
                }
                map.iter_mut().for_each(|(key, value)| {
                    let of = if value.is_object() { format!("{key}s") } else { of.to_owned() };
                    self.own_ids(&of, value);
                });
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.own_ids(of, item)),
            _ => {}
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number or a UUID.
fn is_id(text: &str) -> bool {
    let uuid = text.len() >= 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    !text.is_empty() && (uuid || text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The path of an address.
fn path_of(address: &str) -> &str {
    let after =
        address.split_once("://").map_or(address, |(_, rest)| rest.split_once('/').map_or("", |_| rest));
    after.split(['?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, location: &str, body: &str) -> Answer {
        let mut answer = Answer { status, complete: true, body: body.to_owned().into(), ..Answer::default() };
        if !location.is_empty() {
            answer.headers.insert(LOCATION, location.parse().unwrap());
        }
        answer
    }

    #[test]
    fn what_was_made_anew_has_another_name_from_then_on() {
        let mut renames = Renames::default();
        renames.learn(
            "/customers/new",
            &answer(302, "http://crm.test/customers/101", ""),
            &answer(302, "http://crm.test/customers/205", ""),
        );
        renames.learn("/api/v1/deals", &answer(201, "", "{\"id\":7}"), &answer(201, "", "{\"id\":9}"));
        assert_eq!(renames.target("/customers/101/edit?page=101"), "/customers/205/edit?page=101");
        assert_eq!(renames.target("/deals/101"), "/deals/101");
        assert_eq!(
            renames.form("customer_id=101&count=101&deal_id=7"),
            "customer_id=205&count=101&deal_id=9"
        );
        assert_eq!(renames.document("{\"customer_id\":101,\"n\":7}"), "{\"customer_id\":205,\"n\":7}");
        let page = answer(302, "/customers/101", "<a href=\"/customers/101\">101</a> /customers/1010");
        let page = renames.answer("/", &page);
        assert_eq!(page.body, "<a href=\"/customers/205\">101</a> /customers/1010");
        assert_eq!(page.headers[LOCATION], "/customers/205");
        let document =
            renames.answer("/api/v1/deals/7", &answer(200, "", "{\"id\":7,\"customer\":{\"id\":101}}"));
        assert_eq!(document.body, "{\"id\":9,\"customer\":{\"id\":205}}");
    }
}
