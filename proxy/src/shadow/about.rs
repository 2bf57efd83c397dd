//! What the programs behind the backends say they are: asked now and then, and after a backend did not answer.
//!
//! Rust handlers answer `GET /_ficus/about` on their private socket, Flask with legacy-shim `GET /_shim/about` on its
//! private channel. Neither path is let through from clients (`gateway::request_checks`). What is not known stays
//! unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::time::timeout;

use super::compare::Side;
use super::period::Seen;
use crate::upstream::{Backend, Stream};

const HANDLERS: &str = "/_ficus/about";
const FLASK: &str = "/_shim/about";
/// What carries the secret of the channel.
const AUTHORIZATION: &str = "x-legacy-shim-authorization";
/// How long an answer may take; it is made of what is known.
const PATIENCE: Duration = Duration::from_secs(2);
/// Larger than any answer.
const LARGEST: usize = 64 * 1024;
/// Longest word of an answer that is kept.
const LONGEST: usize = 128;

/// What is known about the program behind a backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct About {
    /// Its build, or a hash of its code; of several upstreams, all of them.
    pub(super) program: Seen,
    /// The schema heads that it knows (handlers), or that its database has (Flask).
    pub(super) heads: Vec<String>,
}

/// What was said, backend by backend.
#[derive(Debug, Default)]
pub(super) struct Abouts(Mutex<BTreeMap<String, About>>);

impl Abouts {
    /// What a backend said last; nothing: it was not asked yet.
    pub(super) fn of(&self, backend: &str) -> Option<About> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(backend).cloned()
    }

    /// Asks every upstream of a backend that can be reached.
    pub(super) async fn ask(&self, backend: &Arc<Backend>, side: Side, secret: Option<&str>) {
        let about = match (side, secret) {
            (Side::Rust(_), _) => every(backend, HANDLERS, None).await,
            (Side::Flask(_), Some(secret)) => every(backend, FLASK, Some(secret)).await,
            // Without the secret it would not say anything.
            (Side::Flask(_), None) => About { program: Seen::Silent, heads: Vec::new() },
        };
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(backend.name().to_owned(), about);
    }
}

async fn every(backend: &Arc<Backend>, path: &'static str, secret: Option<&str>) -> About {
    let streams = timeout(PATIENCE, backend.dial_each()).await.unwrap_or_default();
    let mut answers = Vec::new();
    for stream in streams {
        if let Ok(Some(answer)) = timeout(PATIENCE, exchange(stream, path, secret)).await {
            answers.push(answer);
        }
    }
    together(&answers)
}

/// The status, and the document if it is one. `None`: no answer.
async fn exchange(stream: Box<dyn Stream>, path: &'static str, secret: Option<&str>) -> Option<(u16, Value)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let mut request = Request::builder().uri(Uri::from_static(path)).header("host", "localhost");
    if let Some(secret) = secret {
        request = request.header(AUTHORIZATION, format!("Bearer {secret}"));
    }
    let request = request.header("connection", "close").body(Empty::<Bytes>::new()).ok()?;
    let answer = async {
        let (head, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = Limited::new(body, LARGEST).collect().await.ok()?.to_bytes();
        Some((head.status.as_u16(), serde_json::from_slice(&body).unwrap_or_default()))
    };
    let answer = answer.await;
    connection.abort();
    answer
}

/// Several upstreams may run several builds while one takes over from the other.
fn together(answers: &[(u16, Value)]) -> About {
    let (mut programs, mut heads, mut silent) = (BTreeSet::new(), BTreeSet::new(), false);
    for (status, document) in answers {
        match (status, program(document)) {
            (200, Some(program)) => {
                programs.insert(program);
                let listed = document["heads"].as_array().into_iter().flatten();
                heads.extend(listed.filter_map(word));
            }
            // Not yet, or not now: nothing was said.
            (500.., _) => {}
            _ => silent = true,
        }
    }
    let program = match (silent, programs.is_empty()) {
        (true, _) => Seen::Silent,
        (false, true) => Seen::Unknown,
        (false, false) => Seen::Told(programs.into_iter().collect::<Vec<_>>().join(" + ")),
    };
    About { program, heads: heads.into_iter().collect() }
}

fn program(document: &Value) -> Option<String> {
    word(&document["build"]).or_else(|| word(&document["code"]))
}

/// A word as hashes and revisions are; anything else was not said by a program of ours.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    (!text.is_empty() && text.len() <= LONGEST && text.bytes().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_said_is_believed_if_it_can_be_true() {
        let told = |text: &str| Seen::Told(text.to_owned());
        let cases = [
            (vec![], Seen::Unknown),
            (vec![(200, json!({"build": "abc"}))], told("abc")),
            (vec![(200, json!({"code": "sha256:1f"}))], told("sha256:1f")),
            (vec![(200, json!({"build": "b"})), (200, json!({"build": "a"}))], told("a + b")),
            (vec![(200, json!({"build": "a"})), (200, json!({"build": "a"}))], told("a")),
            (vec![(404, json!(null))], Seen::Silent),
            (vec![(200, json!({"build": "<script>"}))], Seen::Silent),
            (vec![(200, json!({"build": null}))], Seen::Silent),
            (vec![(503, json!({"build": null}))], Seen::Unknown),
            (vec![(200, json!({"build": "a"})), (404, json!(null))], Seen::Silent),
            (vec![(200, json!({"build": "a"})), (502, json!(null))], told("a")),
        ];
        for (answers, expected) in cases {
            assert_eq!(together(&answers).program, expected, "{answers:?}");
        }
        let heads = together(&[(200, json!({"build": "a", "heads": ["5f3c", "1a", 3]}))]).heads;
        assert_eq!(heads, ["1a", "5f3c"]);
    }
}
