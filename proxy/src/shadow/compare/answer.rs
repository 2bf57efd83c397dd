//! What goes into a comparison: the question, and two answers to it.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use flask_compat::cookie::parse_http_date;
use http::HeaderMap;
use http::header::{DATE, HeaderName};

use super::design::Design;
use crate::route::IgnoreRule;

/// An answer, as bytes.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it was kept.
    pub body: Bytes,
    /// Whether the body is whole.
    pub complete: bool,
}

impl Answer {
    /// The first value of a header as text.
    pub(super) fn header(&self, name: &HeaderName) -> Option<String> {
        self.headers.get(name).map(|value| text(value.as_bytes()))
    }

    /// All values of a header as texts.
    pub(super) fn all(&self, name: &HeaderName) -> Vec<String> {
        self.headers.get_all(name).iter().map(|value| text(value.as_bytes())).collect()
    }

    /// When it was given, as far as it says so.
    pub(super) fn date(&self) -> Option<i64> {
        parse_http_date(&self.header(&DATE)?)
    }
}

/// A header's bytes, as latin-1 where they are no UTF-8.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Two answers to one question.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The question.
    pub asked: &'a Asked,
    /// What the fallback answered: how it should be.
    pub reference: &'a Answer,
    /// What the candidate answered.
    pub candidate: &'a Answer,
    /// What may differ by design.
    pub design: Design,
    /// What may differ because somebody said so.
    pub rules: &'a [IgnoreRule],
    /// Now.
    pub now: DateTime<Utc>,
}

/// A request, as far as comparing needs it.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The address, such as `http://crm.example/customers?page=2`.
    pub url: String,
    /// All cookies, as one header.
    pub cookies: Vec<u8>,
}
