//! How often one client or user may ask: part of step 4 (decide), for routes with a `rate`.
//!
//! One number per client: the moment at which all it has asked for would have been served at the allowed pace (the
//! generic cell rate algorithm). The numbers live in a table of fixed size without locks; when many more clients
//! come than it has room for, those that asked least are forgotten first, which errs on their side.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};
use siphasher::sip::SipHasher13;
use std::hash::Hasher;

use super::Gateway;
use super::canary::joined_cookies;
use super::context::Context;
use crate::identity::Identity;
use crate::route::{Per, Rate};

/// Groups of clients; a client can only be in its own group.
const GROUPS: usize = 16 * 1024;
/// Clients in a group.
const SEATS: usize = 4;
/// Times are counted in units of 16 µs: 44 bits last for nine years.
const UNIT_SHIFT: u32 = 4;
const TIME_BITS: u32 = 44;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// The clients of all routes with a rate.
pub(super) struct Rates {
    seats: Box<[AtomicU64]>,
    started: Instant,
    keys: (u64, u64),
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rates")
    }
}

impl Rates {
    /// An empty table; with `keys` nobody can guess who shares a seat with whom.
    pub(super) fn new(keys: (u64, u64)) -> Self {
        let seats = (0..GROUPS * SEATS).map(|_| AtomicU64::new(0)).collect();
        Self { seats, started: Instant::now(), keys }
    }

    fn ask(&self, route: &str, who: &Identity, rate: &Rate) -> std::result::Result<(), Duration> {
        let mut hasher = SipHasher13::new_with_keys(self.keys.0, self.keys.1);
        hasher.write(route.as_bytes());
        match who {
            Identity::User(id) | Identity::Visitor(id) => {
                hasher.write(b"\0user\0");
                hasher.write(id.as_bytes());
            }
            Identity::Address(address) => {
                hasher.write(b"\0address\0");
                hasher.write(&network_of(*address));
            }
        }
        let now = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX) >> UNIT_SHIFT;
        self.ask_at(now, hasher.finish(), rate)
    }

    /// One more request at `now`, of the client with this hash; if it is too early, how much.
    fn ask_at(&self, now: u64, hash: u64, rate: &Rate) -> std::result::Result<(), Duration> {
        let window = u64::try_from(rate.window.as_micros()).unwrap_or(u64::MAX) >> UNIT_SHIFT;
        let interval = (window / u64::from(rate.requests.max(1))).max(1);
        let ahead = interval.saturating_mul(u64::from(rate.burst.max(1)));
        // Never all zero: that is an empty seat.
        let tag = (hash >> TIME_BITS).max(1);
        let group = (hash as usize % GROUPS) * SEATS;
        let seats = &self.seats[group..group + SEATS];
        loop {
            let found = seats.iter().find(|seat| seat.load(Ordering::Acquire) >> TIME_BITS == tag);
            let Some(seat) = found.or_else(|| freest(seats)) else { return Ok(()) };
            let before = seat.load(Ordering::Acquire);
            let served = if before >> TIME_BITS == tag { before & TIME_MASK } else { 0 };
            let next = served.max(now).saturating_add(interval);
            if next - now > ahead {
                let early = (next - now - ahead) << UNIT_SHIFT;
                return Err(Duration::from_micros(early));
            }
            let after = (tag << TIME_BITS) | (next & TIME_MASK);
            if seat.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Ok(());
            }
        }
    }
}

/// The seat whose client has asked least, or none.
fn freest(seats: &[AtomicU64]) -> Option<&AtomicU64> {
    seats.iter().min_by_key(|seat| seat.load(Ordering::Acquire) & TIME_MASK)
}

/// Who has one IPv6 address has a whole network of them.
fn network_of(address: IpAddr) -> [u8; 8] {
    let mut network = [0; 8];
    match address.to_canonical() {
        IpAddr::V4(v4) => network[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => network.copy_from_slice(&v6.octets()[..8]),
    }
    network
}

impl Gateway {
    /// Answers 429 to whoever asks too often.
    pub(super) fn check_rate(&self, session: &Session, ctx: &mut Context) -> Result<()> {
        let Some(route) = ctx.route.as_ref().filter(|route| route.rate.is_some()).cloned() else {
            return Ok(());
        };
        let Some(rate) = &route.rate else { return Ok(()) };
        let address = ctx.client.address;
        let who = match rate.per {
            Per::Client => Identity::Address(address),
            Per::User => {
                let cookies = joined_cookies(session.req_header());
                self.identities.user_or_address(&cookies, address, chrono::Utc::now().timestamp())
            }
        };
        match self.rates.get_or_init(|| Rates::new(self.ids.keys())).ask(&route.name, &who, rate) {
            Ok(()) => Ok(()),
            Err(early) => {
                self.observer.rejected("too_many_requests");
                ctx.reason = "too_many_requests";
                ctx.retry_after = Some(early.as_secs() + 1);
                Error::e_explain(ErrorType::HTTPStatus(429), "too_many_requests")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000 >> UNIT_SHIFT;

    fn rate(requests: u32, burst: u32) -> Rate {
        Rate { per: Per::Client, requests, window: Duration::from_secs(10), burst }
    }

    fn hash(number: u64) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(1, 2);
        hasher.write_u64(number);
        hasher.finish()
    }

    #[test]
    fn a_burst_is_allowed_and_then_the_pace() {
        let rates = Rates::new((1, 2));
        let rate = rate(10, 3);
        let ask = |now| rates.ask_at(now, hash(7), &rate);
        assert!((0..3).all(|_| ask(SECOND).is_ok()));
        let early = ask(SECOND).unwrap_err();
        assert!(early <= Duration::from_secs(1) && early > Duration::from_millis(990), "{early:?}");
        assert!(ask(2 * SECOND).is_ok(), "one more after a second");
        assert!(ask(2 * SECOND).is_err());
        assert!((0..3).all(|_| ask(60 * SECOND).is_ok()), "and the burst is back");
        assert!(ask(60 * SECOND).is_err());
    }

    #[test]
    fn one_does_not_pay_for_another() {
        let rates = Rates::new((1, 2));
        let rate = rate(10, 1);
        for client in 0..2_000 {
            assert!(rates.ask_at(SECOND, hash(client), &rate).is_ok(), "{client}");
        }
        let refused = (0..2_000).filter(|client| rates.ask_at(SECOND, hash(*client), &rate).is_err()).count();
        assert!(refused > 1_990, "{refused}: only a few were forgotten");
    }

    #[test]
    fn more_clients_than_seats_are_no_trouble() {
        let rates = Rates::new((1, 2));
        let rate = rate(10, 1);
        for client in 0..(GROUPS * SEATS * 3) as u64 {
            assert!(rates.ask_at(SECOND, hash(client), &rate).is_ok());
        }
    }

    #[test]
    fn an_address_stands_for_its_network() {
        let of = |text: &str| network_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
