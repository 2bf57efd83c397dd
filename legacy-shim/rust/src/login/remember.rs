//! The remember cookie: making, checking, sending and deleting it.

use subtle::ConstantTimeEq;
use thiserror::Error;

use super::config::{LoginConfig, LoginVersion};
use super::identifier::hex;
use crate::cookie::{Cookies, SetCookie};
use crate::session::{Session, Value};
use crate::signing::{Digest, mac};

/// Flask-Login encodes a text secret as latin-1 and raises for anything beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("secret key has characters beyond latin-1: Flask-Login cannot sign remember cookies with it")]
pub struct SecretNotLatin1;

/// The key of the remember cookie.
#[derive(Clone)]
pub struct RememberKey(Vec<u8>);

impl std::fmt::Debug for RememberKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RememberKey(..)")
    }
}

impl RememberKey {
    /// From a text `SECRET_KEY`.
    ///
    /// # Errors
    /// The secret is not latin-1.
    pub fn new(secret: &str) -> Result<Self, SecretNotLatin1> {
        let bytes: Result<Vec<u8>, _> = secret.chars().map(u8::try_from).collect();
        bytes.map(Self).map_err(|_| SecretNotLatin1)
    }

    /// From a `SECRET_KEY` of bytes.
    #[must_use]
    pub fn from_bytes(secret: &[u8]) -> Self {
        Self(secret.to_vec())
    }

    /// `encode_cookie(user_id)`.
    #[must_use]
    pub fn encode(&self, user_id: &str) -> String {
        format!("{user_id}|{}", self.digest(user_id))
    }

    /// `decode_cookie(text)`: the user id, if the signature is right.
    #[must_use]
    pub fn decode<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (user_id, digest) = text.rsplit_once('|')?;
        bool::from(self.digest(user_id).as_bytes().ct_eq(digest.as_bytes())).then_some(user_id)
    }

    fn digest(&self, user_id: &str) -> String {
        hex(&mac(Digest::Sha512, &self.0, user_id.as_bytes()))
    }
}

/// The user id of a valid remember cookie; it is put into the session, not fresh. Call it when the session names nobody
/// (or nobody the application knows) and [`super::protect`] did not end the login.
pub fn remembered_user(
    session: &mut Session,
    cookies: &Cookies,
    key: &RememberKey,
    config: &LoginConfig,
) -> Option<String> {
    let cookie = cookies.get(&config.cookie_name)?;
    if session.get_str("_remember") == Some("clear") {
        return None;
    }
    let user_id = key.decode(cookie)?;
    session.insert("_user_id", user_id);
    session.insert("_fresh", false);
    Some(user_id.to_owned())
}

/// `_update_remember_cookie`: takes `_remember` out of the session and gives the cookie to send. Call it after the view
/// and before the session is saved; its cookie goes before that of the session.
pub fn remember_cookie(
    session: &mut Session,
    key: &RememberKey,
    config: &LoginConfig,
    now: i64,
) -> Option<SetCookie> {
    if !session.contains("_remember") {
        if !config.refresh_each_request {
            return None;
        }
        session.insert("_remember", "set");
    }
    let operation = session.remove("_remember")?;
    let cookie = |value: &str| SetCookie {
        domain: config.domain.clone(),
        path: Some(config.path.clone()),
        ..SetCookie::new(&config.cookie_name, value, config.profile)
    };
    match operation.as_str()? {
        "set" => {
            let user_id = session.user_id()?;
            Some(SetCookie {
                expires: Some(now.saturating_add(duration(session, config))),
                secure: config.secure,
                http_only: config.http_only,
                same_site: config.same_site.filter(|_| config.version == LoginVersion::V06),
                ..cookie(&key.encode(&user_id))
            })
        }
        "clear" => Some(SetCookie { expires: Some(0), max_age: Some(0), ..cookie("") }),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation)] // a float beyond i64 saturates
fn duration(session: &Session, config: &LoginConfig) -> i64 {
    if !session.contains("_remember_seconds") {
        return config.duration;
    }
    session.get("_remember_seconds").and_then(Value::as_f64).map_or(config.duration, |seconds| seconds as i64)
}
