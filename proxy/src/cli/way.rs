//! How a command reaches the running ficus: over the admin socket, or over TCP with a token.
//!
//! A token never stands on the command line, where every user of the machine could read it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, request};
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::settings;

use super::arguments::Common;
use super::exit::Exit;
use super::screen;
use super::trust::{self, Distrust};

/// The way.
pub(super) enum Way {
    /// The kernel says who asks.
    Socket(PathBuf),
    /// A token does.
    Tcp {
        /// `HOST:PORT`.
        authority: String,
        /// The token, if there is one.
        token: Option<String>,
        /// For `https`.
        tls: Option<Arc<ClientConfig>>,
    },
}

impl Way {
    /// What flags, environment and settings name.
    pub(super) fn of(common: &Common) -> Result<Self, String> {
        let variable = std::env::var("FICUS_ADMIN").ok().filter(|url| !url.is_empty());
        // A socket that is named counts for more than a variable.
        let variable = variable.filter(|_| common.socket.is_none());
        let Some(url) = common.admin.clone().or(variable) else {
            return Ok(Self::Socket(settings::admin_socket(&common.inputs())));
        };
        let (authority, secure) = authority(&url)?;
        let tls = if secure { Some(Arc::new(trust::client()?)) } else { None };
        Ok(Self::Tcp { authority, token: token()?, tls })
    }

    /// The way as people write it.
    fn place(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Tcp { authority, tls: None, .. } => format!("http://{authority}"),
            Self::Tcp { authority, .. } => format!("https://{authority}"),
        }
    }

    /// Nobody answers there.
    pub(super) fn unreachable(&self, cause: &str) -> Exit {
        Exit::unreachable(&self.place(), cause)
    }

    /// Nobody answers there, or nobody whom one may ask.
    pub(super) fn failed(&self, error: &anyhow::Error) -> Exit {
        match error.downcast_ref::<Distrust>() {
            Some(distrust) => Exit::distrusted(&self.place(), &distrust.to_string()),
            None => self.unreachable(&error.to_string()),
        }
    }

    pub(super) async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        match self {
            Self::Socket(path) => handshake(UnixStream::connect(path).await?).await,
            Self::Tcp { authority, tls, .. } => {
                let stream = TcpStream::connect(authority.as_str()).await?;
                let Some(tls) = tls else { return handshake(stream).await };
                let name = ServerName::try_from(trust::host(authority).to_owned())?;
                let secured = TlsConnector::from(Arc::clone(tls)).connect(name, stream).await;
                handshake(secured.map_err(|error| trust::why(&error, authority))?).await
            }
        }
    }

    /// A request that goes this way.
    pub(super) fn request(&self, method: Method, path: &str) -> request::Builder {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("connection", "close")
            .header("content-type", "application/json");
        match self {
            Self::Socket(_) => request = request.header("host", "ficus"),
            Self::Tcp { authority, token, .. } => {
                request = request.header("host", authority);
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
            }
        }
        request
    }
}

async fn handshake<S>(stream: S) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// `HOST:PORT`, and whether TLS is spoken there.
fn authority(url: &str) -> Result<(String, bool), String> {
    let wrong = || {
        format!(
            "`{url}` is not the address of an admin API: write `http://127.0.0.1:9900` or `https://node-1:9900`"
        )
    };
    let (rest, secure) = match url.strip_prefix("https://") {
        Some(rest) => (rest, true),
        None => (url.strip_prefix("http://").ok_or_else(wrong)?, false),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let good = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if port.is_none() || !rest.chars().all(good) {
        return Err(wrong());
    }
    let host = trust::host(rest);
    let local = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !local && !secure {
        eprintln!("{} the token goes to `{host}` in clear text", screen::warning_word());
    }
    Ok((rest.to_owned(), secure))
}

fn token() -> Result<Option<String>, String> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(token) = variable("FICUS_TOKEN") {
        return sound(token, "FICUS_TOKEN").map(Some);
    }
    variable("FICUS_TOKEN_FILE").map(|path| from_file(Path::new(&path))).transpose()
}

fn from_file(path: &Path) -> Result<String, String> {
    let name = path.display();
    let cannot = |error: std::io::Error| format!("cannot read `{name}` (FICUS_TOKEN_FILE): {error}");
    let mode = std::fs::metadata(path).map_err(cannot)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("others may read `{name}` (FICUS_TOKEN_FILE): `chmod 600 {name}`"));
    }
    sound(std::fs::read_to_string(path).map_err(cannot)?.trim().to_owned(), "FICUS_TOKEN_FILE")
}

/// What is no token is not sent anywhere, and not shown either.
fn sound(token: String, origin: &str) -> Result<String, String> {
    let good = !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    good.then_some(token).ok_or_else(|| format!("what {origin} holds is not a token of ficus"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (url, at, secure) in [
            ("http://127.0.0.1:9900/", "127.0.0.1:9900", false),
            ("http://[::1]:9900", "[::1]:9900", false),
            ("https://node-1:9900", "node-1:9900", true),
        ] {
            assert_eq!(authority(url), Ok((at.to_owned(), secure)));
        }
        for wrong in
            ["127.0.0.1:9900", "https://127.0.0.1", "http://127.0.0.1", "http://a:b@c:1", "http://x:1/y"]
        {
            assert!(authority(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        std::fs::write(&path, "ficus_1_2\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        mode(0o640);
        assert!(from_file(&path).unwrap_err().contains("chmod 600"));
        mode(0o600);
        assert_eq!(from_file(&path), Ok("ficus_1_2".to_owned()));
    }
}
