//! What a browser would have kept of answers, so that it asks for a page only if it is another one: ETags and times of change.

use std::collections::BTreeMap;

use http::header::{ETAG, HeaderMap, HeaderName, LAST_MODIFIED};

use crate::shadow::corpus::{CONDITIONS, Exchange};

/// The newest validators, by target and by path.
#[derive(Debug, Default)]
pub(super) struct Kept(BTreeMap<String, Validators>);

#[derive(Debug, Clone, Default)]
struct Validators {
    etag: Option<String>,
    modified: Option<String>,
}

impl Kept {
    /// Remembers what an answer says about itself.
    pub(super) fn learn(&mut self, target: &str, status: u16, headers: &HeaderMap) {
        if !matches!(status, 200..=299 | 304) {
            return;
        }
        let text =
            |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (etag, modified) = (text(ETAG), text(LAST_MODIFIED));
        if etag.is_none() && modified.is_none() {
            return;
        }
        for key in [target, path_of(target)] {
            let known = self.0.entry(key.to_owned()).or_default();
            // A 304 need not say everything again.
            let (before, whole) = (std::mem::take(known), status != 304);
            *known = Validators {
                etag: etag.clone().or(before.etag.filter(|_| !whole)),
                modified: modified.clone().or(before.modified.filter(|_| !whole)),
            };
        }
    }

    /// The ETag that a target had last, else its path.
    pub(super) fn etag(&self, target: &str) -> String {
        self.of(target).and_then(|known| known.etag.clone()).unwrap_or_default()
    }

    /// When it was changed, as far as it said so.
    pub(super) fn modified(&self, target: &str) -> String {
        self.of(target).and_then(|known| known.modified.clone()).unwrap_or_default()
    }

    fn of(&self, target: &str) -> Option<&Validators> {
        self.0.get(target).or_else(|| self.0.get(path_of(target)))
    }

    /// The conditions of a request whose page was not fetched yet.
    pub(super) fn lacking(&self, exchange: &Exchange, target: &str) -> Vec<(String, String)> {
        let known = match exchange.method.as_str() {
            "GET" | "HEAD" => self.0.contains_key(target),
            _ => self.of(target).is_some(),
        };
        let asks = |(name, value): &&(String, String)| {
            CONDITIONS.contains(&name.to_ascii_lowercase().as_str())
                && (value.contains("{{etag}}") || value.contains("{{modified}}"))
        };
        if known { Vec::new() } else { exchange.headers.iter().filter(asks).cloned().collect() }
    }
}

/// The request that fetches the page whose ETag another one names.
pub(super) fn first(exchange: &Exchange) -> Exchange {
    let goes_along = |(name, _): &&(String, String)| {
        let name = name.to_ascii_lowercase();
        !CONDITIONS.contains(&name.as_str()) && name != "range" && !name.starts_with("content-")
    };
    Exchange {
        method: "GET".to_owned(),
        target: exchange.target.clone(),
        headers: exchange.headers.iter().filter(goes_along).cloned().collect(),
        ..Exchange::default()
    }
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn asks(method: &str, target: &str) -> Exchange {
        let headers = [("If-None-Match", "{{etag}}"), ("Range", "bytes=0-1"), ("Accept", "*/*")];
        Exchange {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            ..Exchange::default()
        }
    }

    #[test]
    fn the_newest_is_kept_for_each_page() {
        let mut kept = Kept::default();
        kept.learn("/a?page=1", 200, &headers(&[("etag", "\"1\""), ("last-modified", "then")]));
        kept.learn("/a?page=2", 200, &headers(&[("etag", "\"2\"")]));
        kept.learn("/a?page=1", 304, &headers(&[("etag", "\"1\"")]));
        kept.learn("/a?page=1", 404, &headers(&[("etag", "\"no\"")]));
        assert_eq!((kept.etag("/a?page=1").as_str(), kept.modified("/a?page=1").as_str()), ("\"1\"", "then"));
        assert_eq!((kept.etag("/a?page=2").as_str(), kept.modified("/a?page=2").as_str()), ("\"2\"", ""));
        assert_eq!(kept.etag("/a"), "\"1\"");
        assert_eq!(kept.etag("/b"), "");
    }

    #[test]
    fn what_was_not_fetched_is_fetched_first() {
        let mut kept = Kept::default();
        kept.learn("/a?page=1", 200, &headers(&[("etag", "\"1\"")]));
        assert!(kept.lacking(&asks("GET", "/a?page=1"), "/a?page=1").is_empty());
        assert_eq!(kept.lacking(&asks("GET", "/a?page=2"), "/a?page=2").len(), 1);
        assert!(kept.lacking(&asks("PUT", "/a?page=2"), "/a?page=2").is_empty(), "the path is known");
        let first = first(&asks("HEAD", "/b"));
        assert_eq!((first.method.as_str(), first.headers.len()), ("GET", 1), "{first:?}");
    }
}
