//! `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a change that is sent twice is made once, and both are told
//! the same.
//!
//! Here are those in the memory of this process, whole: for a day, at most a thousand, at most 8 MiB. A key belongs to whoever
//! sent it. What failed because of us (5xx) is not kept: trying again is what it asks for. Those that outlive the process are
//! in `store`; what stands between door and endpoint is in `once`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::store::Answered;

/// The header.
pub(crate) const HEADER: &str = "idempotency-key";
/// What an answer says that was given before.
const REPLAYED: &str = "idempotency-replayed";
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
const MOST: usize = 1_000;
const MOST_BYTES: usize = 8 * 1024 * 1024;
const LONGEST_KEY: usize = 255;

/// Who sent which key.
pub(super) type Key = (String, String);

/// An answer, to be given again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    status: StatusCode,
    kind: Option<HeaderValue>,
    body: Bytes,
}

/// What a request with a key has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// It is the first.
    New,
    /// It was answered before.
    Again(Kept),
    /// The first one is not answered yet.
    Busy,
    /// The key was used for something else.
    Other,
}

#[derive(Debug)]
struct Entry {
    asked: [u8; 32],
    at: Instant,
    /// Absent: it is being worked on.
    kept: Option<Kept>,
}

/// Answers by key.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<Key, Entry>>);

impl Kept {
    pub(super) fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        Self { status, kind: headers.get(header::CONTENT_TYPE).cloned(), body }
    }

    /// As it is written down: without its body, if that is a secret.
    pub(super) fn answered(&self, secret: bool) -> Answered {
        let kind = self.kind.as_ref().and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        Answered { status: self.status.as_u16(), kind, body: (!secret).then(|| self.body.to_vec()) }
    }

    /// As it was written down.
    pub(super) fn again(answered: Answered) -> Self {
        Self {
            status: StatusCode::from_u16(answered.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            kind: answered.kind.and_then(|kind| HeaderValue::from_str(&kind).ok()),
            body: answered.body.unwrap_or_default().into(),
        }
    }

    pub(super) fn response(self) -> axum::response::Response {
        let mut response = Response::new(axum::body::Body::from(self.body));
        *response.status_mut() = self.status;
        if let Some(kind) = self.kind {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

impl Answers {
    /// A request with a key has come.
    pub(super) fn begin(&self, key: &Key, asked: [u8; 32], now: Instant) -> Begin {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, entry| entry.kept.is_none() || now.duration_since(entry.at) < LIFE);
        match all.get(key) {
            Some(entry) if entry.asked != asked => Begin::Other,
            Some(Entry { kept: Some(kept), .. }) => Begin::Again(kept.clone()),
            Some(_) => Begin::Busy,
            None => {
                all.insert(key.clone(), Entry { asked, at: now, kept: None });
                Begin::New
            }
        }
    }

    /// The first one was answered; `None`: with nothing to keep.
    pub(super) fn end(&self, key: &Key, kept: Option<Kept>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = kept else {
            all.remove(key);
            return;
        };
        if let Some(entry) = all.get_mut(key) {
            entry.kept = Some(kept);
        }
        make_room(&mut all);
    }
}

/// The oldest answers go first; what is being worked on stays.
fn make_room(all: &mut HashMap<Key, Entry>) {
    let size = |entry: &Entry| entry.kept.as_ref().map_or(0, |kept| kept.body.len());
    let mut bytes: usize = all.values().map(size).sum();
    while all.len() > MOST || bytes > MOST_BYTES {
        let answered = all.iter().filter(|(_, entry)| entry.kept.is_some());
        let Some(oldest) = answered.min_by_key(|(_, entry)| entry.at).map(|(key, _)| key.clone()) else {
            return;
        };
        bytes -= all.remove(&oldest).as_ref().map_or(0, size);
    }
}

/// The key of a request: a string as in structured headers, or the same without quotation marks.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let sound = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
    if headers.get_all(HEADER).iter().count() > 1
        || key.is_empty()
        || key.len() > LONGEST_KEY
        || !key.chars().all(sound)
    {
        return Err(Problem::bad_request(
            "`Idempotency-Key` is one string of at most 255 visible characters without blanks, such as \"8e03978e-40d5\"",
        ));
    }
    Ok(Some(key.to_owned()))
}

/// A key and whose it is, in short.
pub(super) fn digest((name, key): &Key) -> [u8; 32] {
    // A key has no line break in it.
    Sha256::digest(format!("{key}\n{name}")).into()
}

/// What a request asks for, in short.
pub(super) fn asked(method: &str, path: &str, body: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in [method.as_bytes(), b"\n", path.as_bytes(), b"\n", body] {
        hasher.update(part);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: usize) -> Key {
        ("ana".to_owned(), number.to_string())
    }

    fn kept(body: &'static [u8]) -> Kept {
        Kept { status: StatusCode::OK, kind: None, body: Bytes::from_static(body) }
    }

    #[test]
    fn the_same_is_answered_the_same_for_a_day_and_other_things_are_refused() {
        let (answers, now) = (Answers::default(), Instant::now());
        let (one, other) = (asked("POST", "/v1/undo", b"{}"), asked("POST", "/v1/undo", b"{ }"));
        assert_eq!(answers.begin(&named(1), one, now), Begin::New);
        assert_eq!(answers.begin(&named(1), one, now), Begin::Busy);
        assert_eq!(answers.begin(&named(1), other, now), Begin::Other);
        answers.end(&named(1), Some(kept(b"done")));
        assert_eq!(answers.begin(&named(1), one, now), Begin::Again(kept(b"done")));
        assert_eq!(answers.begin(&named(1), other, now), Begin::Other);
        // Somebody else's key is another one.
        assert_eq!(answers.begin(&("bea".to_owned(), "1".to_owned()), one, now), Begin::New);
        assert_eq!(answers.begin(&named(1), one, now + LIFE), Begin::New);
    }

    #[test]
    fn what_failed_may_be_tried_again() {
        let (answers, now) = (Answers::default(), Instant::now());
        assert_eq!(answers.begin(&named(1), [0; 32], now), Begin::New);
        answers.end(&named(1), None);
        assert_eq!(answers.begin(&named(1), [1; 32], now), Begin::New);
    }

    #[test]
    fn the_oldest_answers_make_room() {
        let (answers, now) = (Answers::default(), Instant::now());
        for number in 0..=MOST {
            answers.begin(&named(number), [0; 32], now + Duration::from_millis(number as u64));
            answers.end(&named(number), Some(kept(b"x")));
        }
        let later = now + Duration::from_secs(60);
        assert!(matches!(answers.begin(&named(1), [0; 32], later), Begin::Again(_)));
        assert_eq!(answers.begin(&named(0), [0; 32], later), Begin::New);
        answers.end(&named(0), None);
        let large = Kept { body: vec![0; MOST_BYTES].into(), ..kept(b"") };
        answers.begin(&named(MOST + 1), [0; 32], later);
        answers.end(&named(MOST + 1), Some(large));
        assert_eq!(answers.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn keys() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
            key(&headers)
        };
        assert_eq!(read("\"8e03978e-40d5\"").unwrap().as_deref(), Some("8e03978e-40d5"));
        assert_eq!(read("8e03978e-40d5").unwrap().as_deref(), Some("8e03978e-40d5"));
        for wrong in ["", "\"\"", "a b", "\"a", &"x".repeat(256)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
    }
}
