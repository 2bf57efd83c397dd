//! Where Flask listens, and the secret that it wants: read and checked once, at start-up.

use std::path::PathBuf;

use http::HeaderValue;
use thiserror::Error;

/// A setting of the channel that cannot be used. The secret is never shown.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BadSetting {
    /// Neither `host:port` nor `unix:/path`.
    #[error("`{0}` is neither `host:port` nor `unix:/path`")]
    Address(String),
    /// Flask would refuse this secret as well.
    #[error("the secret must have at least 16 characters, all of them ASCII without blanks")]
    Secret,
}

/// One of the addresses a Flask server listens on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(String),
    Unix(PathBuf),
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, BadSetting> {
        let bad = || BadSetting::Address(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(bad()) };
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err(bad()),
        }
    }
}

/// The header value that carries the secret, marked so that nobody prints it.
pub(super) fn authorization(secret: &str) -> Result<HeaderValue, BadSetting> {
    if secret.len() < 16 || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadSetting::Secret);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {secret}")).map_err(|_| BadSetting::Secret)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(Address::parse("127.0.0.1:8000"), Ok(Address::Tcp("127.0.0.1:8000".to_owned())));
        assert_eq!(Address::parse("[::1]:8000"), Ok(Address::Tcp("[::1]:8000".to_owned())));
        assert_eq!(Address::parse("unix:/run/flask.sock"), Ok(Address::Unix("/run/flask.sock".into())));
        for bad in ["", "localhost", "localhost:", ":80", "localhost:70000", "unix:flask.sock", "http://a/"] {
            assert_eq!(Address::parse(bad), Err(BadSetting::Address(bad.to_owned())));
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        let value = authorization("a-secret-of-some-length").unwrap();
        assert!(!format!("{value:?}").contains("secret"));
        for bad in ["", "too-short", "a secret with blanks in it", "a-secret-with-\u{e9}-in-it"] {
            assert_eq!(authorization(bad), Err(BadSetting::Secret));
        }
    }
}
