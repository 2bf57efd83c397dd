//! Where an anonymous visitor is sent: the login page with `next=`.

use super::config::LoginVersion;
use crate::Profile;
use crate::url::{decode_pairs, encode_pairs, split};

/// `make_next_param(login_url, current_url)`: the current address, without scheme and host if those are the login's.
#[must_use]
pub fn next_param(login_url: &str, current_url: &str) -> String {
    let login = split(login_url);
    let mut current = split(current_url);
    let same = |login: &str, current: &str| login.is_empty() || login == current;
    if !(same(&login.scheme, &current.scheme) && same(&login.netloc, &current.netloc)) {
        return current_url.to_owned();
    }
    current.scheme.clear();
    current.netloc.clear();
    current.fragment.clear();
    current.unsplit()
}

/// `login_url(base, next_url)`: adds `next=` to the login page's address. `base` is already a URL, not an endpoint.
#[must_use]
pub fn login_url(base: &str, next_url: &str, version: LoginVersion, force_host: Option<&str>) -> String {
    let mut parts = split(base);
    let mut query = decode_pairs(parts.query.as_bytes(), Profile::Werkzeug10).0;
    let next = next_param(base, next_url);
    match query.iter_mut().find(|(name, _)| name == "next") {
        Some((_, value)) => *value = next,
        None => query.push(("next".to_owned(), next)),
    }
    if version == LoginVersion::V05 {
        query.sort();
    }
    parts.query = encode_pairs(query.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    if let Some(host) = force_host {
        host.clone_into(&mut parts.netloc);
    }
    parts.unsplit()
}
