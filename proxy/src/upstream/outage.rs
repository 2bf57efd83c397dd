//! The waiting room of a backend that cannot be reached: requests stay here until it is back, as long as their
//! connect time and the number of seats allow.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// The waiting room of one backend.
#[derive(Debug)]
pub(super) struct Outage {
    most: usize,
    waiting: AtomicUsize,
    back: Notify,
    /// When somebody last looked whether it is back.
    looked: AtomicU64,
}

/// A seat in the waiting room.
#[derive(Debug)]
pub(super) struct Seat<'o>(&'o Outage);

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Outage {
    pub(super) fn new(most: usize) -> Self {
        Self { most, waiting: AtomicUsize::new(0), back: Notify::new(), looked: AtomicU64::new(0) }
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A seat, if one is free.
    pub(super) fn sit_down(&self) -> Option<Seat<'_>> {
        let more = |waiting| (waiting < self.most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Seat(self))
    }

    /// Becomes ready when the backend is back.
    pub(super) fn end(&self) -> Notified<'_> {
        self.back.notified()
    }

    /// The backend is back.
    pub(super) fn is_over(&self) {
        self.back.notify_waiters();
    }

    /// True for one of all who ask within `pause` milliseconds: that one shall look whether the backend is back.
    pub(super) fn shall_look(&self, now: u64, pause: u64) -> bool {
        let looked = self.looked.load(Ordering::Acquire);
        (looked == 0 || now >= looked + pause)
            && self.looked.compare_exchange(looked, now.max(1), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_and_free_again() {
        let outage = Outage::new(1);
        let seat = outage.sit_down().unwrap();
        assert!(outage.sit_down().is_none());
        drop(seat);
        assert!(outage.sit_down().is_some());
    }

    #[test]
    fn one_looks_for_all() {
        let outage = Outage::new(1);
        assert!(outage.shall_look(0, 50));
        assert!(!outage.shall_look(49, 50));
        assert!(outage.shall_look(51, 50) && !outage.shall_look(51, 50));
    }
}
