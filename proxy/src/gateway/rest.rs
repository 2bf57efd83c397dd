//! Whether a connection rests between two requests, and who may end that rest: its client by sending something, or
//! somebody who needs the room.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// It is at work.
const AT_WORK: u8 = 0;
/// It waits for the next request.
const RESTING: u8 = 1;
/// It was given up for others while it rested.
const GIVEN_UP: u8 = 2;

/// The rest of one connection.
#[derive(Debug, Default)]
pub(super) struct Rest(AtomicU8);

impl Rest {
    /// The connection waits for its next request.
    pub(super) fn begins(&self) {
        self.0.store(RESTING, Ordering::Release);
    }

    /// Something has arrived; false: too late, the connection was given up.
    pub(super) fn ends(&self) -> bool {
        self.changes(AT_WORK)
    }

    fn changes(&self, to: u8) -> bool {
        self.0.compare_exchange(RESTING, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Tells whether a connection is between two requests.
#[derive(Debug, Clone)]
pub struct Idle(pub(super) Arc<Rest>);

impl Idle {
    /// Whether no request is on the connection, nor a part of one.
    pub fn is_idle(&self) -> bool {
        self.0.0.load(Ordering::Acquire) == RESTING
    }

    /// The connection is given up; false if it already was, or is no longer idle.
    pub fn give_up(&self) -> bool {
        self.0.changes(GIVEN_UP)
    }

    /// Of a connection that does nothing, for tests.
    #[cfg(test)]
    pub fn always() -> Self {
        let rest = Rest::default();
        rest.begins();
        Self(Arc::new(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_ends_once_by_one_of_both() {
        let rest = Arc::new(Rest::default());
        let idle = Idle(Arc::clone(&rest));
        assert!(!idle.give_up(), "at work");
        rest.begins();
        assert!(idle.is_idle() && rest.ends() && !idle.give_up());
        rest.begins();
        assert!(idle.give_up() && !idle.give_up() && !rest.ends());
    }
}
