//! One `Set-Cookie` value: quoting, order of the attributes and dates as `werkzeug.http.dump_cookie` writes them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::cookie_date;
use crate::Profile;

/// Characters that Werkzeug leaves alone in a cookie's path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b'%')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b'=')
    .remove(b'@');

/// Werkzeug 1.0 lets a whole address through.
const OLD_PATH: &AsciiSet = &PATH.remove(b';').remove(b'?').remove(b'#').remove(b'[').remove(b']');

/// The `SameSite` attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// `SameSite=Strict`.
    Strict,
    /// `SameSite=Lax`.
    Lax,
    /// `SameSite=None`.
    None,
}

impl SameSite {
    fn as_str(self) -> &'static str {
        match self {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        }
    }
}

/// A cookie to set. [`SetCookie::header_value`] is the text behind `Set-Cookie: `.
///
/// Attributes come in Werkzeug's order: Domain, Expires, Max-Age, Secure, HttpOnly, Path, SameSite, Partitioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    /// Name of the cookie, written as it is.
    pub name: String,
    /// Value before quoting.
    pub value: String,
    /// `Domain`; a leading dot is dropped from Werkzeug 2.3 on.
    pub domain: Option<String>,
    /// `Expires` as a unix time stamp.
    pub expires: Option<i64>,
    /// `Max-Age` in seconds. Unlike Werkzeug's function this does not add an `Expires` by itself.
    pub max_age: Option<i64>,
    /// `Secure`.
    pub secure: bool,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Path`.
    pub path: Option<String>,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
    /// `Partitioned` (CHIPS), known from Werkzeug 3.1 on; brings `Secure` with it.
    pub partitioned: bool,
    /// Whose quoting and dates to follow.
    pub profile: Profile,
}

impl SetCookie {
    /// A cookie for `Path=/` without further attributes.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>, profile: Profile) -> Self {
        Self {
            name: name.into(),
            value: value.into(),
            domain: None,
            expires: None,
            max_age: None,
            secure: false,
            http_only: false,
            path: Some("/".to_owned()),
            same_site: None,
            partitioned: false,
            profile,
        }
    }

    /// What `response.delete_cookie` sends: an empty value that ended in 1970. Attributes other than path and domain are
    /// the caller's business, as they differ between releases.
    #[must_use]
    pub fn deletion(name: impl Into<String>, profile: Profile) -> Self {
        Self { expires: Some(0), max_age: Some(0), ..Self::new(name, "", profile) }
    }

    /// The header's value. Always ASCII if name and domain are.
    #[must_use]
    pub fn header_value(&self) -> String {
        let mut out = format!("{}={}", self.name, quote(self.value.as_bytes(), self.profile));
        if let Some(domain) = self.domain.as_deref().and_then(|domain| self.shown_domain(domain)) {
            put(&mut out, "Domain", domain);
        }
        if let Some(expires) = self.expires {
            put(&mut out, "Expires", &cookie_date(expires, self.profile));
        }
        if let Some(max_age) = self.max_age {
            put(&mut out, "Max-Age", &max_age.to_string());
        }
        if self.secure || self.partitioned {
            out.push_str("; Secure");
        }
        if self.http_only {
            out.push_str("; HttpOnly");
        }
        if let Some(path) = &self.path {
            let set = if self.profile == Profile::Werkzeug10 { OLD_PATH } else { PATH };
            put(&mut out, "Path", &utf8_percent_encode(path, set).to_string());
        }
        if let Some(same_site) = self.same_site {
            put(&mut out, "SameSite", same_site.as_str());
        }
        if self.partitioned {
            out.push_str("; Partitioned");
        }
        out
    }

    /// The domain without its port, and from Werkzeug 2.3 on without leading dots.
    fn shown_domain<'a>(&self, domain: &'a str) -> Option<&'a str> {
        let domain = domain.split(':').next().unwrap_or_default();
        let domain = match self.profile {
            Profile::Werkzeug10 => domain,
            _ => domain.trim_start_matches('.'),
        };
        (!domain.is_empty()).then_some(domain)
    }
}

fn put(out: &mut String, name: &str, value: &str) {
    // Header injection: a configured value with a line break would split the header.
    let clean: String = value.chars().filter(|c| !c.is_control()).collect();
    let _ = write!(out, "; {name}={clean}");
}

/// Quotes a value that holds more than plain characters.
fn quote(value: &[u8], profile: Profile) -> String {
    let plain = |byte: &u8| match profile {
        Profile::Werkzeug10 => byte.is_ascii_alphanumeric() || b"/=!#$%&'*+-.^_`|~:".contains(byte),
        _ => byte.is_ascii_alphanumeric() || b"_!#$%&'()*+-./:<=>?@[]^`{|}~".contains(byte),
    };
    let mut out = String::with_capacity(value.len() + 2);
    for byte in value {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b',' | b';' | 0..=0x1f | 0x7f..=0xff => {
                let _ = write!(out, "\\{byte:03o}");
            }
            _ => out.push(char::from(*byte)),
        }
    }
    if value.iter().all(plain) { out } else { format!("\"{out}\"") }
}
