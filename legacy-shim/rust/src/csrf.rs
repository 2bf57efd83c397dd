//! Flask-WTF's CSRF tokens: made, found in a request, checked.
//!
//! Shape: `session["csrf_token"]` holds 40 hex digits; the token in a form or header is that text as JSON, signed with a
//! time stamp (salt `wtf-csrf-token`). The two sides are compared, so a token of either side is good on the other.
//! Errors carry Flask-WTF's exact texts; Flask shows them in a 400 page. Source: Flask-WTF 0.14.3 and 1.2.2.

use std::collections::HashSet;

use sha1::{Digest as _, Sha1};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::Profile;
use crate::login::hex;
use crate::session::Session;
use crate::signing::{Digest, KeyDerivation, LoadError, Signer, TimedSerializer};
use crate::url::{Pairs, split};

/// Why a request was refused, in Flask-WTF's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CsrfError {
    /// Neither form nor header has a token.
    #[error("The CSRF token is missing.")]
    TokenMissing,
    /// The session has none: the cookie was not sent, or is older than its limit.
    #[error("The CSRF session token is missing.")]
    SessionTokenMissing,
    /// Older than `WTF_CSRF_TIME_LIMIT`.
    #[error("The CSRF token has expired.")]
    Expired,
    /// Not signed with our key, or garbage.
    #[error("The CSRF token is invalid.")]
    Invalid,
    /// The token of another session.
    #[error("The CSRF tokens do not match.")]
    Mismatch,
    /// https without a Referer.
    #[error("The referrer header is missing.")]
    ReferrerMissing,
    /// https, coming from another site.
    #[error("The referrer does not match the host.")]
    ReferrerMismatch,
}

/// `CSRFProtect` of one application. The fields carry the names of Flask-WTF's configuration.
#[derive(Debug, Clone)]
pub struct Csrf {
    serializer: TimedSerializer,
    /// `WTF_CSRF_FIELD_NAME`.
    pub field_name: String,
    /// `WTF_CSRF_TIME_LIMIT` in seconds; `None`: as long as the session.
    pub time_limit: Option<i64>,
    /// `WTF_CSRF_HEADERS`.
    pub headers: Vec<String>,
    /// `WTF_CSRF_METHODS`.
    pub methods: Vec<String>,
    /// `WTF_CSRF_SSL_STRICT`.
    pub ssl_strict: bool,
    /// `WTF_CSRF_ENABLED`: if not, neither requests nor forms are checked, only views that ask for it.
    pub enabled: bool,
    /// `WTF_CSRF_CHECK_DEFAULT`: every request is checked before its view; if not, views ask for it.
    pub check_default: bool,
}

impl Csrf {
    /// Flask-WTF's defaults. `secret_keys`: `WTF_CSRF_SECRET_KEY`, else the application's; the first one signs.
    pub fn new<S: AsRef<[u8]>>(secret_keys: &[S], profile: Profile) -> Self {
        let signer = Signer::new(secret_keys, "wtf-csrf-token", KeyDerivation::DjangoConcat, Digest::Sha1);
        let mut serializer = TimedSerializer::new(signer);
        serializer.accept_future = profile == Profile::Werkzeug10;
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Self {
            serializer,
            field_name: "csrf_token".to_owned(),
            time_limit: Some(3600),
            headers: texts(&["X-CSRFToken", "X-CSRF-Token"]),
            methods: texts(&["POST", "PUT", "PATCH", "DELETE"]),
            ssl_strict: true,
            enabled: true,
            check_default: true,
        }
    }

    /// `generate_csrf()`: the token for this page. A session without one gets it, made of 64 random bytes. Keep the result
    /// for the whole request, as Flask-WTF does in `g`.
    pub fn generate(&self, session: &mut Session, random: &[u8; 64], now: i64) -> String {
        let known = session.contains(&self.field_name).then(|| session.get_str(&self.field_name)).flatten();
        let raw = match known {
            Some(raw) => raw.to_owned(),
            None => {
                let raw = hex(&Sha1::digest(random));
                session.insert(self.field_name.as_str(), raw.as_str());
                raw
            }
        };
        let mut json = String::new();
        crate::python::push_json_string(&mut json, &raw, true);
        self.serializer.dumps(json.as_bytes(), now)
    }

    /// `validate_csrf(token)`.
    ///
    /// # Errors
    /// What is wrong with the token.
    pub fn validate(&self, token: Option<&str>, session: &Session, now: i64) -> Result<(), CsrfError> {
        let token = token.filter(|token| !token.is_empty()).ok_or(CsrfError::TokenMissing)?;
        if !session.contains(&self.field_name) {
            return Err(CsrfError::SessionTokenMissing);
        }
        let payload = self.serializer.loads(token, self.time_limit, now).map_err(|error| match error {
            LoadError::Expired { .. } => CsrfError::Expired,
            _ => CsrfError::Invalid,
        })?;
        let sent: String = serde_json::from_slice(&payload).map_err(|_| CsrfError::Invalid)?;
        let known = session.get_str(&self.field_name).ok_or(CsrfError::Mismatch)?;
        if bool::from(known.as_bytes().ct_eq(sent.as_bytes())) { Ok(()) } else { Err(CsrfError::Mismatch) }
    }

    /// The token of a request: the form field, else the first filled field whose name ends like it, else the headers.
    pub fn find_token<'a>(
        &self,
        form: &'a Pairs,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Option<&'a str> {
        let filled = |value: Option<&'a str>| value.filter(|value| !value.is_empty());
        filled(form.get(&self.field_name))
            .or_else(|| {
                // The first value of each name counts. One pass: the client chooses how many names there are.
                let mut seen = HashSet::new();
                let suffixed = form.0.iter().filter(|(name, _)| name.ends_with(&self.field_name));
                let mut first = suffixed.filter(|(name, _)| seen.insert(name.as_str()));
                first.find_map(|(_, value)| filled(Some(value.as_str())))
            })
            .or_else(|| self.headers.iter().find_map(|name| filled(header(name))))
    }

    /// Whether requests of this method are checked.
    #[must_use]
    pub fn checks(&self, method: &str) -> bool {
        self.methods.iter().any(|checked| checked == method)
    }

    /// The check of the Referer under https (`WTF_CSRF_SSL_STRICT`); comes after [`Csrf::validate`]. `host` is
    /// `request.host`.
    ///
    /// # Errors
    /// The header is missing or from another origin.
    pub fn check_referrer(&self, secure: bool, referrer: Option<&str>, host: &str) -> Result<(), CsrfError> {
        if !secure || !self.ssl_strict {
            return Ok(());
        }
        let referrer = referrer.filter(|referrer| !referrer.is_empty()).ok_or(CsrfError::ReferrerMissing)?;
        if same_origin(referrer, &format!("https://{host}/")) {
            Ok(())
        } else {
            Err(CsrfError::ReferrerMismatch)
        }
    }
}

fn same_origin(current: &str, compare: &str) -> bool {
    let (current, compare) = (split(current), split(compare));
    current.scheme == compare.scheme
        && current.hostname() == compare.hostname()
        && matches!((current.port(), compare.port()), (Ok(one), Ok(other)) if one == other)
}
