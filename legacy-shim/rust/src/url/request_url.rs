//! `request.url`, `request.base_url`, `request.full_path` and their like.

use super::quote::{Part, percent_decode, quote_with, to_iri};
use crate::Profile;

/// Where a request went, as the application sees it (mounted at `/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestUrl {
    /// `http` or `https`: `request.scheme`.
    pub scheme: String,
    /// `request.host`: the Host header without the scheme's default port.
    pub host: String,
    /// `request.path`: decoded, with exactly one leading slash.
    pub path: String,
    /// `request.query_string`: as sent, without `?`.
    pub query: String,
    /// The decoded path before its bytes became text: Werkzeug 1.0 builds `url` from these.
    raw_path: Vec<u8>,
    profile: Profile,
}

impl RequestUrl {
    /// From the scheme, the Host header, and the request's target (`/path?query`, still encoded).
    #[must_use]
    pub fn new(scheme: &str, host: &str, target: &str, profile: Profile) -> Self {
        let default_port = if scheme == "https" { ":443" } else { ":80" };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let raw_path = percent_decode(path.as_bytes(), |_| true);
        Self {
            scheme: scheme.to_owned(),
            host: host.strip_suffix(default_port).unwrap_or(host).to_owned(),
            path: format!("/{}", String::from_utf8_lossy(&raw_path).trim_start_matches('/')),
            query: query.to_owned(),
            raw_path,
            profile,
        }
    }

    /// `request.url`.
    #[must_use]
    pub fn url(&self) -> String {
        let mut url = self.base_url();
        let safe = match self.profile {
            Profile::Werkzeug10 => ":&%=+$!*'(),",
            _ => "!$&'()*+,/:;=?@%",
        };
        if !self.query.is_empty() {
            let query = quote_with(self.query.as_bytes(), safe);
            url.push('?');
            url.push_str(&to_iri(query.as_bytes(), Part::Query, self.profile));
        }
        url
    }

    /// `request.base_url`: without the query.
    #[must_use]
    pub fn base_url(&self) -> String {
        let (path, safe) = match self.profile {
            Profile::Werkzeug10 => (self.raw_path.as_slice(), "/:"),
            _ => (self.path.as_bytes(), "!$&'()*+,/:;=@%"),
        };
        let start = path.iter().position(|byte| *byte != b'/').unwrap_or(path.len());
        let path = quote_with(&path[start..], safe);
        format!("{}{}", self.host_url(), to_iri(path.as_bytes(), Part::Path, self.profile))
    }

    /// `request.host_url` (and `url_root`): scheme and host with a slash.
    #[must_use]
    pub fn host_url(&self) -> String {
        let host = match self.profile {
            Profile::Werkzeug10 => self.host.clone(),
            _ => self.host.to_lowercase(),
        };
        format!("{}://{host}/", self.scheme)
    }

    /// `request.full_path`: always with a `?`.
    #[must_use]
    pub fn full_path(&self) -> String {
        format!("{}?{}", self.path, self.query)
    }

    /// Whose rules these are.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// `request.is_secure`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme == "https"
    }
}
