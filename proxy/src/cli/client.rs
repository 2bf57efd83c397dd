//! Asks the running ficus over its admin socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::admin::Problem;
use crate::settings;

use super::arguments::Common;
use super::exit::Exit;

/// A wedged ficus takes connections and says nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// The admin API.
pub(super) struct Client {
    socket: PathBuf,
    patience: Duration,
}

/// How often to ask again when a process answers that another one has just taken its place.
const AGAIN: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

impl Client {
    /// For the socket that flags, environment and settings name.
    pub(super) fn new(common: &Common) -> Self {
        Self { socket: settings::admin_socket(&common.inputs()), patience: PATIENCE }
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

    fn call(&self, method: &Method, path: &str, document: Option<&Value>) -> Result<Value, Exit> {
        let mut refused = self.call_once(method, path, document);
        for _ in 0..AGAIN {
            match &refused {
                Err(exit) if exit.has_moved() => std::thread::sleep(PAUSE),
                _ => break,
            }
            refused = self.call_once(method, path, document);
        }
        refused
    }

    fn call_once(&self, method: &Method, path: &str, document: Option<&Value>) -> Result<Value, Exit> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Exit::failed(format!("cannot start: {error}")))?;
        let answer = runtime.block_on(async {
            tokio::time::timeout(self.patience, exchange(&self.socket, method.clone(), path, document)).await
        });
        let (status, body) = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(Exit::unreachable(&self.socket, &error.to_string())),
            Err(_) => {
                let cause = format!("no answer within {} seconds", self.patience.as_secs());
                return Err(Exit::unreachable(&self.socket, &cause));
            }
        };
        if (200..300).contains(&status) {
            return serde_json::from_slice(&body)
                .map_err(|error| Exit::failed(format!("ficus answers nonsense: {error}")));
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => Err(Exit::refused(problem)),
            Err(_) => Err(Exit::failed(format!("ficus answers with status {status}"))),
        }
    }
}

async fn exchange(
    socket: &Path,
    method: Method,
    path: &str,
    document: Option<&Value>,
) -> anyhow::Result<(u16, Bytes)> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = document.map(Value::to_string).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "ficus")
        .header("connection", "close")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
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
