//! One request seen by a map: the host it was bound to, and the URLs of redirects.
//!
//! Source: `Map.bind`, `Map.bind_to_environ`, `MapAdapter.get_host`, `make_redirect_url` of Werkzeug 1.0.1, 2.3.8 and 3.1;
//! `get_host` of werkzeug/wsgi.py and werkzeug/sansio/utils.py; `Flask.create_url_adapter` of Flask 1.1, 2.3 and 3.1.
//! Flask 3.1 ignores the host unless hosts or subdomains are matched; before, any other host than `SERVER_NAME` was 404.
//! A host that is not printable ASCII, or up to 2.1 has a `|` in it, is refused (`BadHost`): Werkzeug would encode the former
//! with IDNA 2003 and split the latter.

use std::borrow::Cow;

use super::quote::{STATIC_10, quote, static_safe};
use super::spec::MapOptions;
use crate::Profile;

/// No subdomain has this name; Werkzeug binds a foreign host to it.
const INVALID_SUBDOMAIN: &str = "<invalid>";

/// The bound host.
#[derive(Debug, Clone)]
pub(super) struct Adapter<'p> {
    pub(super) profile: Profile,
    pub(super) host_matching: bool,
    pub(super) server_name: Cow<'p, str>,
    /// Empty with host matching.
    pub(super) subdomain: Cow<'p, str>,
    pub(super) scheme: &'p str,
    /// With a slash at the end.
    pub(super) script_name: Cow<'p, str>,
}

/// The host cannot be bound; Werkzeug raises `BadHost`, status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadHost;

impl<'p> Adapter<'p> {
    /// Binds a request: `host` as in the Host header.
    pub(super) fn new(
        options: &'p MapOptions,
        host: &'p str,
        scheme: &'p str,
        script_name: &'p str,
    ) -> Result<Self, BadHost> {
        let profile = options.profile;
        let wsgi_host = lower(wsgi_host(host, scheme, profile));
        let configured = options.server_name.as_deref().filter(|_| uses_server_name(options));
        let (server_name, subdomain) = match configured {
            None => (wsgi_host, Cow::Borrowed(fixed_subdomain(options).unwrap_or(""))),
            Some(name) => {
                let name = lower(strip_port(name, scheme, profile));
                let subdomain = match fixed_subdomain(options) {
                    Some(subdomain) => Cow::Borrowed(subdomain),
                    None => Cow::Owned(subdomain_of(&wsgi_host, &name)),
                };
                (name, subdomain)
            }
        };
        // Domain and path are matched apart, Werkzeug's expressions are over `domain|path`.
        let divided =
            profile == Profile::Werkzeug10 && (server_name.contains('|') || subdomain.contains('|'));
        if divided || !encodable(&server_name, profile) {
            return Err(BadHost);
        }
        let script_name = if script_name.ends_with('/') {
            Cow::Borrowed(script_name)
        } else {
            Cow::Owned(format!("{script_name}/"))
        };
        Ok(Adapter {
            profile,
            host_matching: options.host_matching,
            server_name,
            subdomain,
            scheme,
            script_name,
        })
    }

    /// The text that the rules' hosts or subdomains are matched with.
    pub(super) fn domain(&self) -> Cow<'p, str> {
        match (self.host_matching, self.profile) {
            (false, _) => self.subdomain.clone(),
            // 1.0 takes the absent subdomain for an empty host, and formats it.
            (true, Profile::Werkzeug10) if self.server_name.is_empty() => Cow::Borrowed("None"),
            (true, _) => self.server_name.clone(),
        }
    }

    /// WebSocket rules are for WebSocket schemes, the others for the others.
    pub(super) fn is_websocket(&self) -> bool {
        matches!(self.scheme, "ws" | "wss")
    }

    /// The host of a rule's domain part; absent: the request's.
    pub(super) fn host_of(&self, domain: Option<&str>) -> String {
        if self.host_matching {
            return domain.unwrap_or(&self.server_name).to_owned();
        }
        match domain.unwrap_or(&self.subdomain) {
            "" => self.server_name.clone().into_owned(),
            subdomain => format!("{subdomain}.{}", self.server_name),
        }
    }

    /// The URL of a redirect to a path that is encoded already.
    pub(super) fn redirect_url(&self, path: &str, query: &str, domain: Option<&str>) -> String {
        let scheme = if self.scheme.is_empty() { "http" } else { self.scheme };
        let script = self.script_name.trim_matches('/');
        let script = if script.is_empty() { String::new() } else { format!("{script}/") };
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{scheme}://{}/{script}{}{mark}{query}", self.host_of(domain), path.trim_start_matches('/'))
    }

    /// The URL of a redirect to a path as it was matched.
    pub(super) fn redirect_to_path(&self, path: &str, query: &str) -> String {
        let safe = if self.profile == Profile::Werkzeug10 { STATIC_10 } else { static_safe(self.profile) };
        self.redirect_url(&quote(path, safe), query, None)
    }

    /// What `redirect_to` is joined to.
    pub(super) fn root_url(&self) -> String {
        let scheme = if self.scheme.is_empty() { "http" } else { self.scheme };
        let dot = if self.subdomain.is_empty() { "" } else { "." };
        format!("{scheme}://{}{dot}{}{}", self.subdomain, self.server_name, self.script_name)
    }
}

/// From 3.1 on, Flask does not pass `SERVER_NAME` to a map that matches hosts.
fn uses_server_name(options: &MapOptions) -> bool {
    !(options.host_matching && options.profile == Profile::Werkzeug31)
}

/// The subdomain that Flask binds whatever the host says.
fn fixed_subdomain(options: &MapOptions) -> Option<&str> {
    if options.host_matching {
        return Some("");
    }
    let default = options.default_subdomain.as_str();
    let fixed =
        !options.subdomain_matching && (options.profile == Profile::Werkzeug31 || !default.is_empty());
    fixed.then_some(default)
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) { text.to_ascii_lowercase().into() } else { text.into() }
}

/// `get_host`: without the port that goes with the scheme; 3.1 takes a malformed host for empty.
fn wsgi_host<'h>(host: &'h str, scheme: &str, profile: Profile) -> &'h str {
    let host = strip_port(host, scheme, profile);
    if profile == Profile::Werkzeug31 && !well_formed(host) { "" } else { host }
}

fn strip_port<'h>(host: &'h str, scheme: &str, profile: Profile) -> &'h str {
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        "ws" if profile != Profile::Werkzeug10 => ":80",
        "wss" if profile != Profile::Werkzeug10 => ":443",
        _ => return host,
    };
    host.strip_suffix(port).unwrap_or(host)
}

/// `_host_re` of 3.1: a name or `[IPv6]`, and a port.
fn well_formed(host: &str) -> bool {
    let (name, port) = if let Some(rest) = host.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        let address_like = |b: u8| b.is_ascii_hexdigit() || b == b':' || b == b'.';
        let Some((before, after)) = address.split_once(':') else { return false };
        if after.is_empty()
            || !before.bytes().all(|b| b.is_ascii_hexdigit())
            || !after.bytes().all(address_like)
        {
            return false;
        }
        (true, port)
    } else {
        let end = host.find(':').unwrap_or(host.len());
        let named = host[..end].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-');
        (named && end > 0, &host[end..])
    };
    let port_good = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            (1..=5).contains(&port.len())
                && port.bytes().all(|b| b.is_ascii_digit())
                && !port.starts_with('0')
                && port.parse::<u16>().is_ok()
        });
    name && port_good
}

/// What stands before the configured name, without empty labels.
fn subdomain_of(host: &str, server_name: &str) -> String {
    let (host, name): (Vec<&str>, Vec<&str>) = (host.split('.').collect(), server_name.split('.').collect());
    match host.len().checked_sub(name.len()) {
        Some(extra) if host[extra..] == name[..] => {
            host[..extra].iter().copied().filter(|label| !label.is_empty()).collect::<Vec<_>>().join(".")
        }
        _ => INVALID_SUBDOMAIN.to_owned(),
    }
}

/// Whether Python's `idna` codec takes the name: from 2.0 on, labels of 1 to 63 characters, the last may be empty.
fn encodable(server_name: &str, profile: Profile) -> bool {
    if !server_name.bytes().all(|b| b.is_ascii() && !b.is_ascii_control()) {
        return false;
    }
    if profile == Profile::Werkzeug10 {
        return true;
    }
    let name = server_name.split(':').next().unwrap_or("");
    let mut labels = name.split('.').rev();
    labels.next().is_none_or(|last| last.len() < 64) && labels.all(|label| (1..64).contains(&label.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_subdomain() {
        assert_eq!(subdomain_of("a.b.example.com", "example.com"), "a.b");
        assert_eq!(subdomain_of("example.com", "example.com"), "");
        assert_eq!(subdomain_of("127.0.0.1", "example.com"), INVALID_SUBDOMAIN);
    }

    #[test]
    fn knows_well_formed_hosts() {
        for host in ["a", "a.b:80", "[::1]", "[::1]:8080", "1.2.3.4:65535"] {
            assert!(well_formed(host), "{host}");
        }
        for host in ["", "a b", "a:0", "a:65536", "[::1", "[]", "a:b", "a_b", "a:"] {
            assert!(!well_formed(host), "{host}");
        }
    }
}
