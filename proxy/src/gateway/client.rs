//! Who is at the other end of the connection, and who is behind them.

use std::net::{IpAddr, Ipv4Addr};

use pingora::http::RequestHeader;
use pingora::proxy::Session;

use crate::settings::Network;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    /// The address that the connection comes from.
    pub(super) peer: IpAddr,
    /// Whether that is a proxy whose word we take for what is behind it.
    pub(super) trusted: bool,
    /// The address of the user, as far as we can know it.
    pub(super) address: IpAddr,
    /// Whether the connection is encrypted.
    pub(super) https: bool,
}

impl Default for Client {
    fn default() -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self { peer: nobody, trusted: false, address: nobody, https: false }
    }
}

impl Client {
    /// The client of a session.
    pub(super) fn of(session: &Session, trusted_proxies: &[Network]) -> Self {
        let inet = session.as_downstream().client_addr().and_then(|address| address.as_inet());
        let Some(peer) = inet.map(|address| address.ip().to_canonical()) else { return Self::default() };
        let trusted = is_trusted(peer, trusted_proxies);
        let address = if trusted { behind(session.req_header(), peer, trusted_proxies) } else { peer };
        let https = session.as_downstream().digest().is_some_and(|digest| digest.ssl_digest.is_some());
        Self { peer, trusted, address, https }
    }
}

/// The last address that no trusted proxy has: what is before it, the client may have made up.
fn behind(request: &RequestHeader, peer: IpAddr, trusted_proxies: &[Network]) -> IpAddr {
    let mut nearest = peer;
    let values: Vec<&str> =
        request.headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for hop in values.iter().rev().flat_map(|value| value.rsplit(',')) {
        let Some(address) = address_of(hop.trim()) else { break };
        nearest = address;
        if !is_trusted(address, trusted_proxies) {
            break;
        }
    }
    nearest
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address_of(hop: &str) -> Option<IpAddr> {
    let plain = hop.parse::<IpAddr>().ok();
    plain.or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|a| a.ip())).map(|a| a.to_canonical())
}

fn is_trusted(address: IpAddr, trusted_proxies: &[Network]) -> bool {
    trusted_proxies.iter().any(|network| network.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_the_last_address_that_no_proxy_has() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let cases = [
            (None, "10.0.0.1"),
            (Some("203.0.113.9"), "203.0.113.9"),
            (Some("198.51.100.1, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
            (Some("203.0.113.9:4711"), "203.0.113.9"),
            (Some("nonsense, 10.0.0.3"), "10.0.0.3"),
        ];
        for (header, expected) in cases {
            let mut request = RequestHeader::build("GET", b"/", None).unwrap();
            if let Some(value) = header {
                request.insert_header("X-Forwarded-For", value).unwrap();
            }
            let user = behind(&request, "10.0.0.1".parse().unwrap(), &trusted);
            assert_eq!(user, expected.parse::<IpAddr>().unwrap(), "{header:?}");
        }
    }
}
