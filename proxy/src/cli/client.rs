//! Asks the running ficus over its admin socket, or over TCP with a token.

use std::io::Read;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use serde_json::Value;

use super::arguments::Common;
use super::exit::Exit;
use super::way::Way;
use crate::admin::{IDEMPOTENCY_KEY, Problem};

/// A wedged ficus takes connections and says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The admin API.
pub(super) struct Client {
    /// How it is reached, or why that cannot be known.
    way: Result<Way, String>,
    patience: Duration,
}

/// How long to ask again when a process answers that another one has just taken its place.
const AGAIN: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);
/// How often a change is sent again when the connection broke before the answer came.
const LOST: usize = 3;

impl Client {
    /// For what flags, environment and settings name.
    pub(super) fn new(common: &Common) -> Self {
        Self { way: Way::of(common), patience: PATIENCE }
    }

    /// For a change that waits for other nodes, as long as was asked for.
    pub(super) fn waiting(self, wait: Option<&str>) -> Self {
        let more = wait.and_then(|wait| crate::diagnostic::duration(wait).ok()).unwrap_or_default();
        Self { patience: self.patience.saturating_add(more), ..self }
    }

    /// For what takes longer.
    pub(super) fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks.
    pub(super) fn get(&self, path: &str) -> Result<Value, Exit> {
        self.call(&Method::GET, path, None)
    }

    /// Tells.
    pub(super) fn post(&self, path: &str, document: &Value) -> Result<Value, Exit> {
        self.call(&Method::POST, path, Some(document))
    }

    /// Removes.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Exit> {
        self.call(&Method::DELETE, path, None)
    }

    /// A change has a key: if the connection breaks before the answer comes, it is sent again, and made once.
    fn call(&self, method: &Method, path: &str, document: Option<&Value>) -> Result<Value, Exit> {
        let key = if *method == Method::GET { None } else { random_key() };
        let question = Asked { method, path, document, key: key.as_deref() };
        let began = Instant::now();
        let body = loop {
            match self.ask(&question) {
                Err(exit) if exit.has_moved() && began.elapsed() < AGAIN => {}
                Err(exit) if exit.is_in_progress() && began.elapsed() < self.patience => {}
                answer => break answer?,
            }
            std::thread::sleep(PAUSE);
        };
        serde_json::from_slice(&body)
            .map_err(|error| Exit::failed(format!("ficus answers nonsense: {error}")))
    }

    /// An answer that is no document, such as the metrics.
    pub(super) fn text(&self, method: &Method, path: &str, document: Option<&Value>) -> Result<Bytes, Exit> {
        self.ask(&Asked { method, path, document, key: None })
    }

    fn ask(&self, question: &Asked<'_>) -> Result<Bytes, Exit> {
        let way = self.way()?;
        let runtime = runtime()?;
        let mut lost = 0;
        let (status, body) = loop {
            let answer = runtime
                .block_on(async { tokio::time::timeout(self.patience, exchange(way, question)).await });
            match answer {
                Ok(Ok(answer)) => break answer,
                Ok(Err(Trouble::Lost(_))) if question.key.is_some() && lost < LOST => {
                    lost += 1;
                    std::thread::sleep(PAUSE);
                }
                Ok(Err(Trouble::Lost(error) | Trouble::Unreached(error))) if lost == 0 => {
                    return Err(way.failed(&error));
                }
                Ok(Err(_)) => return Err(way.unreachable(UNKNOWN)),
                Err(_) => {
                    let cause = format!("no answer within {} seconds", self.patience.as_secs());
                    return Err(way.unreachable(&cause));
                }
            }
        };
        if (200..300).contains(&status) { Ok(body) } else { Err(refused(status, &body)) }
    }

    fn way(&self) -> Result<&Way, Exit> {
        self.way.as_ref().map_err(|why| Exit::usage(why.clone()))
    }

    /// Reads server-sent events until somebody has enough (`false`) or the other end does; `last` is the id from which
    /// to go on.
    pub(super) fn follow(
        &self,
        path: &str,
        last: Option<&str>,
        mut take: impl FnMut(&str, &str, &str) -> bool,
    ) -> Result<(), Exit> {
        let way = self.way()?;
        let lost = |error: anyhow::Error| way.failed(&error);
        runtime()?.block_on(async {
            let mut sender = way.connect().await.map_err(lost)?;
            let mut request = way.request(Method::GET, path);
            if let Some(last) = last {
                request = request.header("last-event-id", last);
            }
            let request = request.body(Full::default()).map_err(|error| Exit::failed(error.to_string()))?;
            let response = sender.send_request(request).await.map_err(|error| lost(error.into()))?;
            let status = response.status().as_u16();
            let mut body = response.into_body();
            if status != 200 {
                let body = body.collect().await.map_err(|error| lost(error.into()))?.to_bytes();
                return Err(refused(status, &body));
            }
            let mut events = Events::default();
            while let Some(frame) = body.frame().await {
                // The other end is gone; who asked may come back.
                let Ok(frame) = frame else { return Ok(()) };
                let Some(data) = frame.data_ref() else { continue };
                for (name, id, data) in events.feed(data) {
                    if !take(&name, &id, &data) {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }
}

/// Server-sent events out of pieces of a text.
#[derive(Debug, Default)]
struct Events {
    rest: Vec<u8>,
}

impl Events {
    /// Name, id and data of those that are complete.
    fn feed(&mut self, data: &[u8]) -> Vec<(String, String, String)> {
        self.rest.extend_from_slice(data);
        let mut events = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.rest.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let field = |name: &str| {
                let lines = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
                lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
            };
            let data = field("data");
            if !data.is_empty() {
                events.push((field("event"), field("id"), data));
            }
        }
        events
    }
}

fn refused(status: u16, body: &[u8]) -> Exit {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => Exit::refused(problem),
        Err(_) => Exit::failed(format!("ficus answers with status {status}")),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Exit> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Exit::failed(format!("cannot start: {error}")))
}

/// A question as it is sent, as often as it must be.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    document: Option<&'a Value>,
    /// What makes one of several that are the same.
    key: Option<&'a str>,
}

/// Why there is no answer.
enum Trouble {
    /// Nobody got the question.
    Unreached(anyhow::Error),
    /// Somebody may have got it.
    Lost(anyhow::Error),
}

/// What is said when a change was sent, and nobody answers any more.
const UNKNOWN: &str =
    "the connection broke before the answer came, so the change was made or not: `ficus history` shows which";

async fn exchange(way: &Way, asked: &Asked<'_>) -> Result<(u16, Bytes), Trouble> {
    let mut sender: SendRequest<Full<Bytes>> = way.connect().await.map_err(Trouble::Unreached)?;
    let body = asked.document.map(Value::to_string).unwrap_or_default();
    let mut request = way.request(asked.method.clone(), asked.path);
    if let Some(key) = asked.key {
        request = request.header(IDEMPOTENCY_KEY, format!("\"{key}\""));
    }
    let request =
        request.body(Full::new(Bytes::from(body))).map_err(|error| Trouble::Unreached(error.into()))?;
    let lost = |error: hyper::Error| Trouble::Lost(error.into());
    let response = sender.send_request(request).await.map_err(lost)?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await.map_err(lost)?.to_bytes()))
}

/// Nobody else has this one; without it a change is sent once.
fn random_key() -> Option<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes)).ok()?;
    Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A query string.
pub(super) fn query(pairs: &[(&str, Option<String>)]) -> String {
    let encoded: Vec<String> = pairs
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", encode(value))))
        .collect();
    if encoded.is_empty() { String::new() } else { format!("?{}", encoded.join("&")) }
}

fn encode(value: &str) -> String {
    value.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_pieces() {
        let mut events = Events::default();
        assert!(events.feed(b": here\n\nid: 1-0\nevent: rev").is_empty());
        let found = events.feed(b"ision\ndata: {}\n\nid: 2-0\nevent: store\ndata: 1\n\n");
        let expected = [("revision", "1-0", "{}"), ("store", "2-0", "1")];
        assert_eq!(found, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    }
}
