//! One address of a backend: what pingora needs to connect to it, and how it has been doing.
//!
//! A host name with several addresses is several upstreams: each has a state of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use pingora::protocols::l4::socket;
use pingora::protocols::tls::CaType;
use pingora::upstreams::peer::{HttpPeer, Scheme};
use pingora::utils::tls::{WrappedX509, parse_x509};

use super::breaker::Breaker;
use super::ejection::Ejection;
use super::loan::Resting;
use super::recovery::Recovery;
use super::vitals::Vitals;
use crate::settings::{Backend, Timeouts, UpstreamAddress};

/// Connections with this key are kept and used again.
const POOLED: u64 = 0;
/// Connections with this key serve one request that must not be repeated: a kept connection may be closed by the
/// other end at the very moment it is used, and nobody could tell whether the request was executed.
const SINGLE_USE: u64 = 1;
/// Connections that pingora gets lent, and never keeps; 2 is `replay`.
const LENT: u64 = 3;

/// One address of a backend.
#[derive(Debug)]
pub struct Upstream {
    /// Tells the upstreams of one backend apart.
    id: u32,
    /// Which entry of the settings it comes from.
    origin: usize,
    /// The address as in the settings, for people; with the IP address if a host name has several.
    text: String,
    socket: Option<SocketAddr>,
    /// Ready to be cloned; none while a host name is not resolved.
    peer: Option<HttpPeer>,
    /// The same for pingora, which gets its connections lent.
    outer: Option<HttpPeer>,
    longest_silence: Duration,
    longest_rest: Duration,
    /// The same before a request that must not be repeated.
    writes_rest: Duration,
    resting: Resting,
    in_flight: AtomicUsize,
    breaker: Breaker,
    ejection: Ejection,
    vitals: Vitals,
    recovery: Recovery,
    /// Why it was last found to be down.
    cause: ArcSwapOption<String>,
}

/// How long to wait for an upstream during one request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patience {
    /// For a connection, if not the usual time.
    pub connect: Option<Duration>,
    /// For the next bytes, if not the usual time.
    pub bytes: Option<Duration>,
}

/// Makes the upstreams of one backend.
#[derive(Debug)]
pub(super) struct Maker {
    addresses: Vec<UpstreamAddress>,
    timeouts: Timeouts,
    ca: Option<Arc<CaType>>,
    slow_start: Duration,
    reuse_for_writes: Duration,
    next_id: AtomicU32,
}

impl Maker {
    pub(super) fn new(backend: &Backend, timeouts: &Timeouts) -> Self {
        let wrap = |der: &Vec<u8>| WrappedX509::new(der.clone(), parse_x509);
        Self {
            addresses: backend.upstreams.clone(),
            timeouts: timeouts.clone(),
            ca: backend.ca.as_ref().map(|ca| ca.iter().map(wrap).collect::<Vec<_>>().into()),
            slow_start: backend.slow_start,
            reuse_for_writes: backend.reuse_for_writes,
            next_id: AtomicU32::new(0),
        }
    }

    /// The entries of the settings.
    pub(super) fn addresses(&self) -> &[UpstreamAddress] {
        &self.addresses
    }

    /// The upstream of one entry before any name is resolved.
    pub(super) fn first(&self, origin: usize) -> Arc<Upstream> {
        match &self.addresses[origin] {
            UpstreamAddress::Unix(path) => {
                // Only a path with NUL or of more than 107 bytes fails.
                let peer = HttpPeer::new_uds(&path.to_string_lossy(), false, String::new());
                let peer =
                    peer.inspect_err(|error| tracing::error!(path = %path.display(), %error, "bad path"));
                self.make(origin, None, peer.ok(), text(&self.addresses[origin]))
            }
            // An IP address needs no resolver; a name is looked up by `probe`.
            address @ UpstreamAddress::Tcp { host, port, .. } => match host.parse() {
                Ok(ip) => self.resolved(origin, SocketAddr::new(ip, *port), false),
                Err(_) => self.make(origin, None, None, text(address)),
            },
        }
    }

    /// The upstream of one entry at one of the addresses of its host.
    pub(super) fn resolved(&self, origin: usize, socket: SocketAddr, several: bool) -> Arc<Upstream> {
        let address = &self.addresses[origin];
        let peer = match address {
            UpstreamAddress::Tcp { host, tls, .. } => {
                // Without a name pingora would not verify the certificate.
                HttpPeer::new(socket, *tls, if *tls { host.clone() } else { String::new() })
            }
            UpstreamAddress::Unix(_) => return self.first(origin),
        };
        let known_as = text(address);
        let text = if several { format!("{known_as} ({})", socket.ip()) } else { known_as };
        self.make(origin, Some(socket), Some(peer), text)
    }

    fn make(
        &self,
        origin: usize,
        socket: Option<SocketAddr>,
        mut peer: Option<HttpPeer>,
        text: String,
    ) -> Arc<Upstream> {
        if let Some(peer) = &mut peer {
            let options = &mut peer.options;
            options.connection_timeout = Some(self.timeouts.connect);
            options.total_connection_timeout = Some(self.timeouts.connect);
            options.read_timeout = Some(self.timeouts.upstream);
            options.write_timeout = Some(self.timeouts.upstream);
            options.idle_timeout = Some(self.timeouts.upstream_idle);
            options.ca.clone_from(&self.ca);
        }
        let outer = peer.clone().map(|mut peer| {
            // TLS, if there is some, is below the connection that is lent.
            peer.scheme = Scheme::HTTP;
            peer.sni.clear();
            peer.group_key = LENT;
            peer.options.ca = None;
            // So is the time to connect.
            peer.options.connection_timeout = None;
            peer.options.total_connection_timeout = None;
            peer
        });
        Arc::new(Upstream {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            origin,
            text,
            socket,
            peer,
            outer,
            longest_silence: self.timeouts.upstream,
            longest_rest: self.timeouts.upstream_idle,
            writes_rest: self.reuse_for_writes.min(self.timeouts.upstream_idle),
            resting: Resting::default(),
            in_flight: AtomicUsize::new(0),
            breaker: Breaker::default(),
            ejection: Ejection::default(),
            vitals: Vitals::default(),
            recovery: Recovery::new(self.slow_start),
            cause: ArcSwapOption::empty(),
        })
    }
}

impl Upstream {
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn origin(&self) -> usize {
        self.origin
    }

    /// The address as in the settings.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What a Host header calls it.
    pub fn authority(&self) -> &str {
        let (_, rest) = self.text.split_once("://").unwrap_or(("", "localhost"));
        rest.split(' ').next().unwrap_or(rest)
    }

    /// The address that its host name has now.
    pub(super) fn socket(&self) -> Option<SocketAddr> {
        self.socket
    }

    pub(super) fn breaker(&self) -> &Breaker {
        &self.breaker
    }

    pub(super) fn ejection(&self) -> &Ejection {
        &self.ejection
    }

    pub(super) fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    pub(super) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    pub(super) fn in_flight(&self) -> &AtomicUsize {
        &self.in_flight
    }

    /// Remembers why it is down.
    pub(super) fn blame(&self, cause: &str) {
        self.cause.store(Some(Arc::new(cause.to_owned())));
    }

    /// Why it was last down.
    pub(super) fn cause(&self) -> Option<String> {
        self.cause.load().as_deref().cloned()
    }

    /// Whether it is known where it is.
    pub fn is_resolved(&self) -> bool {
        self.peer.is_some()
    }

    /// Whether it is a socket of this machine's file system.
    pub(super) fn is_unix(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| matches!(peer._address, socket::SocketAddr::Unix(_)))
    }

    /// What pingora connects to.
    pub fn peer(&self, single_use: bool, patience: Patience) -> Option<Box<HttpPeer>> {
        let mut peer = patient(self.peer.as_ref()?, patience);
        peer.group_key = if single_use { SINGLE_USE } else { POOLED };
        Some(peer)
    }

    /// What pingora connects to in order to get a connection lent; see `loan`.
    pub(super) fn outer_peer(&self, patience: Patience) -> Option<Box<HttpPeer>> {
        Some(patient(self.outer.as_ref()?, Patience { connect: None, ..patience }))
    }

    /// The connections that nobody uses.
    pub(super) fn resting(&self) -> &Resting {
        &self.resting
    }

    /// How long it may take for its next bytes, if nobody says otherwise.
    pub(super) fn longest_silence(&self) -> Duration {
        self.longest_silence
    }

    /// How long a connection may be unused.
    pub(super) fn longest_rest(&self) -> Duration {
        self.longest_rest
    }

    /// The same before a request that must not be repeated; zero: it has a connection of its own.
    pub(super) fn writes_rest(&self) -> Duration {
        self.writes_rest
    }
}

fn patient(peer: &HttpPeer, patience: Patience) -> Box<HttpPeer> {
    let mut peer = Box::new(peer.clone());
    if patience.connect.is_some() {
        peer.options.connection_timeout = patience.connect;
        peer.options.total_connection_timeout = patience.connect;
    }
    if patience.bytes.is_some() {
        peer.options.read_timeout = patience.bytes;
        peer.options.write_timeout = patience.bytes;
    }
    peer
}

fn text(address: &UpstreamAddress) -> String {
    match address {
        UpstreamAddress::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            if host.contains(':') {
                format!("{scheme}://[{host}]:{port}")
            } else {
                format!("{scheme}://{host}:{port}")
            }
        }
        UpstreamAddress::Unix(path) => format!("unix:{}", path.display()),
    }
}
