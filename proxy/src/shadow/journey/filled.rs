//! From what stands in a corpus to what is sent: values for `{{..}}`, words for masks, ids as this server gave them.

use std::sync::LazyLock;

use regex::Regex;

use super::{MOST_SEEN, Player};
use crate::shadow::compare::Answer;
use crate::shadow::corpus::{Exchange, boundary, encode, file, is_multipart, pairs, read_parts, write_parts};

/// How a value is written where it goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filling {
    Form,
    Json,
    Plain,
}

impl Player<'_> {
    /// What somebody typed in is masked in a recording. Where pages show the same word, it can be sent as it was.
    pub(super) fn learn_words(&mut self, answer: &Answer) {
        let Some(masker) = self.people.masker.as_ref().filter(|masker| masker.is_live()) else { return };
        let Ok(text) = std::str::from_utf8(&answer.body) else { return };
        if self.seen.len() < MOST_SEEN {
            self.seen.extend(masker.originals(text));
        }
    }

    pub(super) fn unmasked(&self, text: &str, filling: Filling) -> String {
        static WORD: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"\{\{[^{}]*\}\}|%[0-9A-Fa-f]{2}|[A-Za-z0-9]{5,}").ok());
        let (Some(words), false) = (WORD.as_ref(), self.seen.is_empty()) else { return text.to_owned() };
        let original = |found: &regex::Captures<'_>| match (self.seen.get(&found[0]), filling) {
            (None, _) => found[0].to_owned(),
            (Some(word), Filling::Form) => encode(word),
            (Some(word), _) => word.clone(),
        };
        words.replace_all(text, original).into_owned()
    }

    /// Remembers the masks of a request for which nobody has a word.
    pub(super) fn notice_masks(&mut self, exchange: &Exchange) {
        let Some(masker) = self.people.masker.as_ref().filter(|masker| masker.is_live()) else { return };
        let query = exchange.target.split_once('?').map(|(_, query)| query).unwrap_or_default();
        let body = String::from_utf8_lossy(&exchange.body);
        let form = if exchange.is_form() { &*body } else { "" };
        let mut values: Vec<String> =
            pairs(query).into_iter().chain(pairs(form)).filter_map(|(_, value)| value).collect();
        let media = exchange.header("content-type").unwrap_or_default();
        if is_multipart(media) {
            let parts = read_parts(media, &exchange.body).unwrap_or_default();
            let typed = parts.into_iter().filter(|part| part.file.is_none());
            values.extend(typed.map(|part| String::from_utf8_lossy(&part.value).into_owned()));
        }
        for value in values {
            let sent = self.people.given.text(&value);
            let nobody_knows = |mask: &String| !self.seen.contains_key(mask) && sent.contains(mask.as_str());
            self.masks.extend(masker.masks_in(&value).into_iter().filter(nobody_knows));
        }
    }

    pub(super) fn body(&self, exchange: &Exchange) -> Result<Vec<u8>, String> {
        let Ok(text) = std::str::from_utf8(&exchange.body) else { return Ok(exchange.body.clone()) };
        let given = &self.people.given;
        if exchange.is_form() {
            let text = self.unmasked(&given.form(text), Filling::Form);
            return Ok(self.renames.form(&self.fill(&text, Filling::Form)?).into_bytes());
        }
        let media = exchange.header("content-type").unwrap_or_default();
        if is_multipart(media) && !text.is_empty() {
            return self.parts(media, text);
        }
        if media.contains("json") {
            let text = self.unmasked(&given.document(text), Filling::Json);
            return Ok(self.renames.document(&self.fill(&text, Filling::Json)?).into_bytes());
        }
        match file(text) {
            Some(bytes) => bytes,
            None => Ok(self.fill(&given.text(text), Filling::Plain)?.into_bytes()),
        }
    }

    /// A form with files, as a browser sends it.
    fn parts(&self, media: &str, text: &str) -> Result<Vec<u8>, String> {
        let (Some(boundary), Some(mut parts)) = (boundary(media), read_parts(media, text.as_bytes())) else {
            return Err(format!("the body has no parts with the boundary of its Content-Type, `{media}`"));
        };
        for part in &mut parts {
            let text = String::from_utf8_lossy(&part.value).into_owned();
            if let Some(bytes) = file(&text) {
                part.value = bytes?;
                continue;
            }
            let json = part.media.as_deref().is_some_and(|media| media.contains("json"));
            let (text, filling) = match json {
                true => (self.people.given.document(&text), Filling::Json),
                false => (self.people.given.text(&text), Filling::Plain),
            };
            let filled = self.fill(&self.unmasked(&text, filling), filling)?;
            let filled = self.renames.field(&part.name, &filled);
            part.value = filled.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes();
        }
        Ok(write_parts(&boundary, &parts, "\r\n"))
    }

    /// Puts values in the place of `{{..}}`.
    pub(super) fn fill(&self, text: &str, filling: Filling) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, end)) = after.split_once("}}") else { break };
            out.push_str(before);
            let (kind, argument) = name.trim().split_once(' ').unwrap_or((name.trim(), ""));
            let value = self.value(kind, argument.trim())?;
            match filling {
                Filling::Form => out.push_str(&encode(&value)),
                Filling::Json => {
                    let quoted = serde_json::Value::String(value).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
                Filling::Plain => out.push_str(&value),
            }
            rest = end;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, kind: &str, argument: &str) -> Result<String, String> {
        let person = || match argument {
            "" | "self" => self.person.as_deref().unwrap_or("self"),
            name => name,
        };
        match kind {
            "csrf" => self
                .fields
                .csrf()
                .ok_or_else(|| "no page of this session has shown a CSRF token yet".to_owned()),
            "field" => self
                .fields
                .get(argument)
                .ok_or_else(|| format!("no page of this session has shown a hidden field `{argument}` yet")),
            "login" => Ok(self.people.find(person())?.login.clone()),
            "password" => self.people.password(person()),
            "token" => self.people.token(argument),
            "etag" => Ok(self.kept.etag(&self.asking)),
            "modified" => Ok(self.kept.modified(&self.asking)),
            // Bytes that were not recorded.
            "bytes" | "secret" | "cookie" => Ok(String::new()),
            "file" => Err("`{{file ..}}` stands alone: as a body, or as a part of a form".to_owned()),
            other => Err(format!("`{{{{{other}}}}}` stands for nothing that is known")),
        }
    }
}
