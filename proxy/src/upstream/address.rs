//! One address of a backend: what pingora needs to connect to it, and what became of the last attempts.

use std::net::SocketAddr;
use std::path::Path;

use arc_swap::ArcSwapOption;
use pingora::upstreams::peer::HttpPeer;

use super::UpstreamHealth;
use super::breaker::Breaker;
use crate::settings::{Timeouts, UpstreamAddress};

/// Connections with this key are kept and used again.
const POOLED: u64 = 0;
/// Connections with this key serve one request that must not be repeated: a kept connection may be closed by the
/// other end at the very moment it is used, and nobody could tell whether the request was executed.
const SINGLE_USE: u64 = 1;

/// One address of a backend.
#[derive(Debug)]
pub struct Upstream {
    address: UpstreamAddress,
    /// The address as in the settings, for people.
    text: String,
    /// Ready to be cloned; none while a host name is not resolved.
    peer: ArcSwapOption<HttpPeer>,
    breaker: Breaker,
    timeouts: Timeouts,
}

impl Upstream {
    pub(super) fn new(address: &UpstreamAddress, timeouts: &Timeouts) -> Self {
        let upstream = Self {
            address: address.clone(),
            text: text(address),
            peer: ArcSwapOption::empty(),
            breaker: Breaker::default(),
            timeouts: timeouts.clone(),
        };
        match address {
            UpstreamAddress::Unix(path) => upstream.point_to_socket(path),
            // An IP address needs no resolver; a name is looked up by `probe`.
            UpstreamAddress::Tcp { host, port } => {
                if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
                    upstream.point_to(SocketAddr::new(ip, *port));
                }
            }
        }
        upstream
    }

    /// The address as in the settings.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn address(&self) -> &UpstreamAddress {
        &self.address
    }

    pub(super) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    /// Where it is now, if that is known.
    pub(super) fn is_resolved(&self) -> bool {
        self.peer.load().is_some()
    }

    /// Sends new connections to this socket address.
    pub(super) fn point_to(&self, address: SocketAddr) {
        let known = self.peer.load();
        let new = HttpPeer::new(address, false, String::new());
        if known.as_ref().is_none_or(|known| known._address != new._address) {
            self.set_peer(new);
        }
    }

    fn point_to_socket(&self, path: &Path) {
        // Only a path with NUL or of more than 107 bytes fails; the settings refuse both.
        match HttpPeer::new_uds(&path.to_string_lossy(), false, String::new()) {
            Ok(peer) => self.set_peer(peer),
            Err(error) => tracing::error!(upstream = self.text, %error, "bad socket path"),
        }
    }

    fn set_peer(&self, mut peer: HttpPeer) {
        let options = &mut peer.options;
        options.connection_timeout = Some(self.timeouts.connect);
        options.total_connection_timeout = Some(self.timeouts.connect);
        options.read_timeout = Some(self.timeouts.upstream);
        options.write_timeout = Some(self.timeouts.upstream);
        options.idle_timeout = Some(self.timeouts.upstream_idle);
        self.peer.store(Some(peer.into()));
    }

    /// What pingora connects to. `wait` is the longest wait for the next bytes, if not the usual one.
    pub(super) fn peer(&self, single_use: bool, wait: Option<std::time::Duration>) -> Option<Box<HttpPeer>> {
        let known = self.peer.load();
        let mut peer = Box::new(HttpPeer::clone(known.as_ref()?));
        peer.group_key = if single_use { SINGLE_USE } else { POOLED };
        if wait.is_some() {
            peer.options.read_timeout = wait;
            peer.options.write_timeout = wait;
        }
        Some(peer)
    }

    pub(super) fn health(&self) -> UpstreamHealth {
        let failures = self.breaker.failures();
        UpstreamHealth { address: self.text.clone(), up: failures == 0 && self.is_resolved(), failures }
    }
}

fn text(address: &UpstreamAddress) -> String {
    match address {
        UpstreamAddress::Tcp { host, port } => format!("http://{host}:{port}"),
        UpstreamAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}
