//! Webhooks: somebody is asked before a change that sends more users away from the fallback, and told of every change after
//! it was made.
//!
//! A rollback asks nobody, and nobody waits for who is told: that is read from the history, in order, over restarts. What is
//! sent is signed: `X-Ficus-Signature: sha256=HMAC(secret, timestamp "." body)`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use chrono::Utc;
use http::Request;
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::control::{Change, Control, Preview};
use crate::settings::{Endpoint, Webhooks};
use crate::store::Record;

/// How often to look for changes that nobody was told of.
const LOOK: Duration = Duration::from_millis(250);
/// Pauses before further attempts to tell.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(10)];
/// At most so many changes are told at a look; of more, the oldest are passed over, and that is logged.
const MOST: u32 = 200;

/// Asks and tells.
pub struct Hooks {
    settings: Webhooks,
    tls: TlsConnector,
    path: PathBuf,
}

impl std::fmt::Debug for Hooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hooks").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Hooks {
    /// As set; what was told is remembered in this directory.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: &Webhooks, directory: &Path) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { settings: settings.clone(), tls, path: directory.join("webhooks.json") })
    }

    /// Whether anybody is asked before changes.
    pub fn asks(&self) -> bool {
        self.settings.before.is_some()
    }

    /// Asks before a change, if it sends more users away from the fallback. On a thread that may wait.
    ///
    /// # Errors
    /// A sentence, when it must not be made.
    pub fn before(&self, change: &Change, preview: &Preview) -> Result<(), String> {
        let Some(endpoint) = &self.settings.before else { return Ok(()) };
        if !preview.changes.iter().any(|change| change.more) {
            return Ok(());
        }
        let document = json!({
            "schema": 1,
            "event": "before",
            "revision": preview.revision,
            "author": change.author,
            "reason": change.reason,
            "changes": preview.changes,
        });
        let asked = match tokio::runtime::Handle::try_current() {
            Ok(handle) => handle.block_on(self.send(endpoint, &document)),
            Err(error) => Err(error.into()),
        };
        match asked {
            Ok(()) => Ok(()),
            Err(error) if self.settings.veto => {
                Err(format!("the webhook before changes did not agree, so nothing was changed: {error:#}"))
            }
            Err(error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "the webhook before changes did not agree; it is only told"
                );
                Ok(())
            }
        }
    }

    /// Tells of changes until the process ends.
    pub async fn tell(self: Arc<Self>, control: Arc<Control>) {
        let Some(endpoint) = self.settings.after.clone() else { return };
        let mut told = self.remembered().unwrap_or_else(|| control.live().load().revision);
        loop {
            if control.live().load().revision > told {
                let (asked, since) = (Arc::clone(&control), told);
                let news = tokio::task::spawn_blocking(move || news(&asked, since)).await.unwrap_or_default();
                for record in news {
                    if record.revision > told + 1 {
                        let passed_over = record.revision - told - 1;
                        tracing::warn!(passed_over, "changes that the history does not show are not told of");
                    }
                    self.tell_of(&endpoint, &record).await;
                    told = record.revision;
                    self.remember(told);
                }
            }
            sleep(LOOK).await;
        }
    }

    async fn tell_of(&self, endpoint: &Endpoint, record: &Record) {
        let document = json!({
            "schema": 1,
            "event": "after",
            "revision": record.revision,
            "at": record.at,
            "author": record.who(),
            "reason": record.reason,
            "action": record.action.word(),
            "changes": record.changes,
        });
        let mut pauses = PAUSES.iter();
        while let Err(error) = self.send(endpoint, &document).await {
            let Some(pause) = pauses.next() else {
                let error = format!("{error:#}");
                tracing::warn!(revision = record.revision, error, "the webhook after changes was not told");
                return;
            };
            sleep(*pause).await;
        }
    }

    /// The last revision that was told of, by an earlier process.
    fn remembered(&self) -> Option<u64> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        serde_json::from_str::<Value>(&text).ok()?["told"].as_u64()
    }

    fn remember(&self, told: u64) {
        if let Err(error) = std::fs::write(&self.path, json!({ "told": told }).to_string()) {
            tracing::debug!(%error, "what was told cannot be remembered");
        }
    }

    async fn send(&self, endpoint: &Endpoint, document: &Value) -> anyhow::Result<()> {
        timeout(self.settings.timeout, self.post(endpoint, document)).await.context("no answer in time")?
    }

    async fn post(&self, endpoint: &Endpoint, document: &Value) -> anyhow::Result<()> {
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
        if !endpoint.tls {
            return self.exchange(stream, endpoint, document).await;
        }
        let name = ServerName::try_from(endpoint.host.clone())?;
        self.exchange(self.tls.connect(name, stream).await?, endpoint, document).await
    }

    async fn exchange<S>(&self, stream: S, endpoint: &Endpoint, document: &Value) -> anyhow::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let (body, now) = (document.to_string(), Utc::now().timestamp().to_string());
        let mut request = Request::post(&endpoint.path)
            .header("host", endpoint.authority())
            .header("content-type", "application/json")
            .header("user-agent", concat!("ficus/", env!("CARGO_PKG_VERSION")))
            .header("connection", "close")
            .header("x-ficus-timestamp", &now);
        if let Some(secret) = &self.settings.secret {
            let signature = signature(secret.0.as_bytes(), &format!("{now}.{body}"));
            request = request.header("x-ficus-signature", format!("sha256={signature}"));
        }
        let answer = sender.send_request(request.body(Full::new(Bytes::from(body)))?).await;
        connection.abort();
        let status = answer?.status();
        anyhow::ensure!(status.is_success(), "it answered {status}");
        Ok(())
    }
}

/// Changes after a revision, oldest first.
fn news(control: &Control, told: u64) -> Vec<Record> {
    let mut news = control.history(None, MOST);
    news.retain(|record| record.revision > told);
    news.sort_by_key(|record| record.revision);
    news
}

/// HMAC-SHA256 (RFC 2104), in hexadecimal.
fn signature(key: &[u8], text: &str) -> String {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|own| own ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(text).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    outer.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let cases: [(&[u8], &str, &str); 2] = [
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ];
        for (key, text, expected) in cases {
            assert_eq!(signature(key, text), expected);
        }
    }
}
