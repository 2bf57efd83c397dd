//! A recorded answer against the one that a replay got: both masked in the same way.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use super::Renames;
use crate::shadow::compare::Answer;
use crate::shadow::corpus::{Masker, Recorded};

/// A recorded answer, to be compared.
pub fn recorded_answer(recorded: &Recorded) -> Answer {
    let mut headers = HeaderMap::new();
    for (name, value) in &recorded.headers {
        if let (Ok(name), Ok(value)) =
            (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str()))
        {
            headers.append(name, value);
        }
    }
    Answer { status: recorded.status, headers, body: recorded.body.clone().into(), complete: true }
}

/// The recorded answer under the ids of this server, and the answer that it gave under the masks of the corpus.
pub fn replayed(
    target: &str,
    recorded: &Recorded,
    got: &Answer,
    (masker, renames): (&mut Masker, &mut Renames),
) -> (Answer, Answer) {
    let there = recorded_answer(recorded);
    let mut here = recorded_answer(&masker.answer(&plain(got)));
    here.complete = got.complete;
    renames.learn(target, &there, &here);
    (renames.answer(target, &there), here)
}

/// An answer as it can be masked and written.
pub fn plain(got: &Answer) -> Recorded {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Recorded {
        status: got.status,
        headers: got.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: got.body.to_vec(),
    }
}
