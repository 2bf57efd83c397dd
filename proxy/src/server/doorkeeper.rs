//! How many connections clients may have: all of them together, and one address alone.
//!
//! When the house is full, connections that are between two requests are given up for new ones; when there are none,
//! the new one is refused. A connection costs two short locks here, one when it comes and one when it goes.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::gateway::Idle;
use crate::settings::{Limits, Network};

/// So many idle connections are given up at once, if there are many: looking for them costs more than closing them.
const GIVEN_UP_AT_ONCE: usize = 32;

/// Counts connections.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    most: usize,
    most_per_client: usize,
    trusted: Vec<Network>,
    inside: AtomicUsize,
    next: AtomicU64,
    guests: Mutex<Guests>,
}

#[derive(Debug, Default)]
struct Guests {
    by_client: HashMap<IpAddr, usize>,
    by_number: HashMap<u64, Guest>,
}

#[derive(Debug, Clone)]
struct Guest {
    idle: Idle,
    leave: Arc<Notify>,
}

/// Why a connection is refused, as a stable word for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There are too many in all.
    Full,
    /// There are too many of this client.
    Client,
}

impl Refused {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Client => "client",
        }
    }
}

/// A connection that was let in, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    keeper: Arc<Doorkeeper>,
    number: u64,
    /// `None`: not counted by client.
    client: Option<IpAddr>,
    leave: Arc<Notify>,
}

impl Doorkeeper {
    /// `most` may be less than the settings say, if the system does not allow that many.
    pub(super) fn new(limits: &Limits, most: usize, trusted: &[Network]) -> Arc<Self> {
        Arc::new(Self {
            most,
            most_per_client: limits.connections_per_client,
            trusted: trusted.to_vec(),
            inside: AtomicUsize::new(0),
            next: AtomicU64::new(0),
            guests: Mutex::default(),
        })
    }

    /// Lets a connection in. The second result is how many others have to leave for it.
    pub(super) fn admit(self: &Arc<Self>, peer: IpAddr) -> Result<(Admitted, usize), Refused> {
        let before = self.inside.fetch_add(1, Ordering::AcqRel);
        let left = if before < self.most { 0 } else { self.make_room() };
        if before >= self.most + left.max(GIVEN_UP_AT_ONCE) || (before >= self.most && left == 0) {
            self.inside.fetch_sub(1, Ordering::AcqRel);
            return Err(Refused::Full);
        }
        let client = client_of(peer);
        let client =
            (!self.trusted.iter().any(|network| network.contains(peer.to_canonical()))).then_some(client);
        if let Some(client) = client {
            let mut guests = self.lock();
            let count = guests.by_client.entry(client).or_default();
            if *count >= self.most_per_client {
                drop(guests);
                self.inside.fetch_sub(1, Ordering::AcqRel);
                return Err(Refused::Client);
            }
            *count += 1;
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok((Admitted { keeper: Arc::clone(self), number, client, leave: Arc::default() }, left))
    }

    /// Gives idle connections up; returns how many.
    fn make_room(&self) -> usize {
        let guests = self.lock();
        // Lower numbers came earlier, and have been idle for longer as a rule.
        let mut idle: Vec<(u64, &Guest)> = guests
            .by_number
            .iter()
            .filter(|(_, guest)| guest.idle.is_idle())
            .map(|(number, guest)| (*number, guest))
            .collect();
        let wanted = (idle.len() / GIVEN_UP_AT_ONCE).clamp(1, GIVEN_UP_AT_ONCE);
        if idle.len() > wanted {
            idle.select_nth_unstable_by_key(wanted, |(number, _)| *number);
        }
        let mut given_up = 0;
        for (_, guest) in idle.iter().take(wanted).filter(|(_, guest)| guest.idle.give_up()) {
            guest.leave.notify_one();
            given_up += 1;
        }
        given_up
    }

    fn lock(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Admitted {
    /// From now on it is known whether the connection is idle.
    pub(super) fn watch(&self, idle: Option<Idle>) {
        if let Some(idle) = idle {
            let guest = Guest { idle, leave: Arc::clone(&self.leave) };
            self.keeper.lock().by_number.insert(self.number, guest);
        }
    }

    /// Becomes ready when the connection shall end for the sake of others.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut guests = self.keeper.lock();
        guests.by_number.remove(&self.number);
        if let Some(client) = self.client
            && let Some(count) = guests.by_client.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                guests.by_client.remove(&client);
            }
        }
        drop(guests);
        self.keeper.inside.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Who has one IPv6 address has a whole network of them.
fn client_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeper(most: usize, most_per_client: usize, trusted: &[Network]) -> Arc<Doorkeeper> {
        let limits = Limits {
            body_bytes: 1,
            header_bytes: 1,
            uri_bytes: 1,
            raw_targets: false,
            backend_requests: 1,
            body_rate: 1,
            buffer_bodies: true,
            replay_bytes: 1,
            replay_memory: 1,
            connections: most,
            connections_per_client: most_per_client,
        };
        Doorkeeper::new(&limits, most, trusted)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn nobody_takes_all_the_places() {
        let keeper = keeper(10, 2, &[]);
        let admit = |who: &str| keeper.admit(address(who)).map(|(admitted, _)| admitted);
        let first = admit("192.0.2.1").unwrap();
        let _second = admit("192.0.2.1").unwrap();
        assert_eq!(admit("192.0.2.1").unwrap_err(), Refused::Client);
        let _other = admit("192.0.2.2").unwrap();
        drop(first);
        assert!(admit("192.0.2.1").is_ok());
        let _v6 = [admit("2001:db8::1").unwrap(), admit("2001:db8::2").unwrap()];
        assert_eq!(admit("2001:db8::3").unwrap_err(), Refused::Client, "one network, one client");
    }

    #[test]
    fn a_proxy_in_front_speaks_for_many() {
        let proxies = [Network { address: address("10.0.0.0"), prefix: 8 }];
        let keeper = keeper(10, 1, &proxies);
        let all: Vec<_> = (0..5).map(|_| keeper.admit(address("10.0.0.1")).unwrap()).collect();
        drop(all);
        assert!(keeper.lock().by_client.is_empty());
    }

    #[test]
    fn a_full_house_refuses_unless_somebody_is_idle() {
        let keeper = keeper(2, 10, &[]);
        let (first, _) = keeper.admit(address("192.0.2.1")).unwrap();
        let (_second, _) = keeper.admit(address("192.0.2.2")).unwrap();
        assert_eq!(keeper.admit(address("192.0.2.3")).unwrap_err(), Refused::Full);
        first.watch(Some(Idle::always()));
        let (_third, left) = keeper.admit(address("192.0.2.3")).unwrap();
        assert_eq!(left, 1);
        assert_eq!(keeper.admit(address("192.0.2.3")).unwrap_err(), Refused::Full, "only once");
    }
}
