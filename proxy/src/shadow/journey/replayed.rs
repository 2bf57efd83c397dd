//! A recorded answer against the one that a replay got: both masked in the same way.

use http::header::{CONTENT_ENCODING, HeaderMap, HeaderName, HeaderValue, LAST_MODIFIED};

use super::Renames;
use crate::shadow::coding::{codings, decoded};
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
    let mut there = recorded_answer(recorded);
    let mut here = recorded_answer(&masker.answer(&plain(got)));
    for answer in [&mut there, &mut here] {
        // When a file was put on the disk is a matter of the machine; that it is said is not.
        if let Some(modified) = answer.headers.get_mut(LAST_MODIFIED) {
            *modified = HeaderValue::from_static("{{modified}}");
        }
    }
    here.complete = got.complete;
    renames.learn(target, &there, &here);
    (renames.answer(target, &there), here)
}

/// An answer as it can be masked and written: not compressed, if that can be undone.
pub fn plain(got: &Answer) -> Recorded {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let body = decoded(&codings(&got.headers), &got.body, super::LARGEST);
    let stays = |(name, _): &(&HeaderName, &HeaderValue)| body.is_err() || **name != CONTENT_ENCODING;
    let headers = got.headers.iter().filter(stays);
    let headers = headers.map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Recorded { status: got.status, headers, body: body.unwrap_or_else(|_| got.body.to_vec()) }
}
