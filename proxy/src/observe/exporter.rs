//! Sends spans to the collector: gathered for a while, posted over HTTP, tried again a few times, then dropped and
//! counted. Whatever the collector does, nobody else waits for it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use super::protobuf;
use super::traces::{Counters, Span};
use crate::settings::Telemetry;

/// Pauses before further attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
/// Of a collector's answer, more than this is not read.
const MOST_ANSWER: usize = 64 * 1024;

/// Sends spans.
pub(super) struct Exporter {
    telemetry: Telemetry,
    tls: Option<TlsConnector>,
    counters: Counters,
    troubled: bool,
}

impl Exporter {
    pub(super) fn new(telemetry: &Telemetry, counters: Counters) -> anyhow::Result<Self> {
        let tls = telemetry.endpoint.tls.then(|| connector(telemetry)).transpose()?;
        Ok(Self { telemetry: telemetry.clone(), tls, counters, troubled: false })
    }

    /// Until nobody can send spans any more.
    pub(super) async fn run(&mut self, mut inbox: Receiver<Vec<Span>>) {
        while let Some(first) = inbox.recv().await {
            let mut batch = first;
            let until = Instant::now() + self.telemetry.delay;
            while batch.len() < self.telemetry.batch {
                match timeout_at(until, inbox.recv()).await {
                    Ok(Some(more)) => batch.extend(more),
                    // Time is up, or the process ends.
                    Ok(None) | Err(_) => break,
                }
            }
            self.export(&batch).await;
        }
    }

    async fn export(&mut self, batch: &[Span]) {
        let body = Bytes::from(protobuf::request(&self.telemetry.resource, env!("CARGO_PKG_VERSION"), batch));
        let mut pauses = PAUSES.iter();
        let error = loop {
            let sent = timeout(self.telemetry.timeout, self.post(body.clone())).await;
            let (error, again) = match sent {
                Ok(Ok(status)) if status.is_success() => {
                    self.counters.sent.inc_by(batch.len() as u64);
                    if std::mem::take(&mut self.troubled) {
                        tracing::info!("the collector of traces takes them again");
                    }
                    return;
                }
                Ok(Ok(status)) => {
                    (anyhow::anyhow!("it answered {status}"), matches!(status.as_u16(), 429 | 502..=504))
                }
                Ok(Err(error)) => (error, true),
                Err(_) => (anyhow::anyhow!("no answer in time"), true),
            };
            match pauses.next().filter(|_| again) {
                Some(pause) => sleep(*pause).await,
                None => break error,
            }
        };
        self.counters.dropped.inc_by(batch.len() as u64);
        if !std::mem::replace(&mut self.troubled, true) {
            let endpoint = self.telemetry.endpoint.to_string();
            tracing::warn!(endpoint, error = format!("{error:#}"), "traces cannot be sent and are dropped");
        }
    }

    /// A connection of its own per batch: there is one every few seconds.
    async fn post(&self, body: Bytes) -> anyhow::Result<StatusCode> {
        let endpoint = &self.telemetry.endpoint;
        let stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await?;
        match &self.tls {
            None => self.exchange(stream, body).await,
            Some(tls) => {
                let name = ServerName::try_from(endpoint.host.clone())?;
                self.exchange(tls.connect(name, stream).await?, body).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S, body: Bytes) -> anyhow::Result<StatusCode>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let endpoint = &self.telemetry.endpoint;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(connection);
        let mut request = Request::post(&endpoint.path)
            .header("host", endpoint.authority())
            .header("content-type", "application/x-protobuf")
            .header("user-agent", concat!("ficus/", env!("CARGO_PKG_VERSION")))
            .header("connection", "close");
        for (name, value) in &self.telemetry.headers {
            request = request.header(name, value.0.as_str());
        }
        let answer = sender.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let mut read = 0;
        let mut answer = answer.into_body();
        while let Some(frame) = answer.frame().await {
            read += frame?.data_ref().map_or(0, Bytes::len);
            if read > MOST_ANSWER {
                break;
            }
        }
        connection.abort();
        Ok(status)
    }
}

fn connector(telemetry: &Telemetry) -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match &telemetry.certificate {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let read = || CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>();
            let certificates = read()
                .with_context(|| format!("cannot read the collector's certificate `{}`", path.display()))?;
            let (added, _) = roots.add_parsable_certificates(certificates);
            if added == 0 {
                bail!("there is no certificate in `{}`", path.display());
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
