//! Which requests are copied: a share of them, and all whose status is rare on their route.
//!
//! The share is a matter of the trace id: a request is copied or not, on every node and at every repetition.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, TryLockError};

use siphasher::sip::SipHasher13;

/// Whether a request with this trace id belongs to the share.
pub(super) fn belongs(share: f64, trace_id: &str) -> bool {
    let mut hasher = SipHasher13::new();
    hasher.write(trace_id.as_bytes());
    // 53 bits are what a float holds exactly.
    let point = (hasher.finish() >> 11) as f64 / (1u64 << 53) as f64;
    point < share
}

/// How often each status was seen, route by route.
#[derive(Debug, Default)]
pub(super) struct Statuses(Mutex<HashMap<Arc<str>, Seen>>);

#[derive(Debug, Default)]
struct Seen {
    all: u64,
    by_status: HashMap<u16, u64>,
}

/// So often a status is rare whatever else there is.
const FIRST: u64 = 20;
/// One in so many is rare.
const ONE_IN: u64 = 100;

impl Statuses {
    /// Counts a status, and says whether it is rare on its route. A user is waiting: if somebody else is counting just
    /// now, this one is not counted, and not rare.
    pub(super) fn is_rare(&self, route: &str, status: u16) -> bool {
        let mut routes = match self.0.try_lock() {
            Ok(routes) => routes,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        if !routes.contains_key(route) {
            routes.insert(Arc::from(route), Seen::default());
        }
        let Some(seen) = routes.get_mut(route) else { return false };
        seen.all += 1;
        let times = seen.by_status.entry(status).or_default();
        *times += 1;
        *times <= FIRST || *times * ONE_IN <= seen.all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share() {
        assert!(belongs(1.0, "a") && !belongs(0.0, "a"));
        let taken = (0..10_000).filter(|number| belongs(0.25, &format!("{number:032x}"))).count();
        assert!((2_300..2_700).contains(&taken), "{taken}");
        assert!((0..1_000).all(|n| !belongs(0.1, &n.to_string()) || belongs(0.2, &n.to_string())));
    }

    #[test]
    fn what_is_rare_is_taken() {
        let statuses = Statuses::default();
        let rare = (0..1_000).filter(|_| statuses.is_rare("a", 200)).count();
        assert_eq!(rare, 20, "a status that everything has is rare only at first");
        assert!((0..20).all(|_| statuses.is_rare("a", 500)));
        assert!(!statuses.is_rare("a", 500), "one in fifty is not rare any more");
        assert!(statuses.is_rare("b", 200), "another route");
    }
}
