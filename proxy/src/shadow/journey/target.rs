//! Whom a session is played against.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// A server that speaks HTTP/1.1 without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Host and port.
    Tcp(String, u16),
    /// A socket.
    Unix(PathBuf),
}

/// Both directions of a connection.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Target {
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, String> {
        let failed = |error: std::io::Error| format!("cannot connect to {self}: {error}");
        Ok(match self {
            Self::Tcp(host, port) => {
                Box::new(TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?)
            }
            Self::Unix(path) => Box::new(UnixStream::connect(path).await.map_err(failed)?),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(host, port) => write!(f, "http://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        let address = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{text}` is neither `http://HOST:PORT` nor `unix:/PATH`"))?
            .trim_end_matches('/');
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) => {
                (host, port.parse().map_err(|_| format!("`{port}` in `{text}` is no port"))?)
            }
            None => (address, 80),
        };
        if host.is_empty() || address.contains('/') {
            return Err(format!("`{text}` is no address: write `http://HOST:PORT`"));
        }
        Ok(Self::Tcp(host.trim_matches(['[', ']']).to_owned(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, shown) in [
            ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
            ("http://crm/", "http://crm:80"),
            ("http://[::1]:5000", "http://::1:5000"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
        ] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), shown);
        }
        for wrong in ["https://crm", "crm:80", "http://crm:x", "http://crm/path", "http://"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
