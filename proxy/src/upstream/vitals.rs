//! What active health checks say about an upstream.
//!
//! Pure. Without checks an upstream counts as well.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The result of the checks so far.
#[derive(Debug, Default)]
pub(super) struct Vitals {
    unwell: AtomicBool,
    checked: AtomicBool,
    /// Results in a row that contradict `unwell`.
    contrary: AtomicU32,
}

impl Vitals {
    /// Whether the upstream may be used.
    pub(super) fn is_well(&self) -> bool {
        !self.unwell.load(Ordering::Acquire)
    }

    /// Records a check; `after` is how many in a row it takes to change the verdict. True if it has changed. The
    /// very first check decides at once: nothing is known before it.
    pub(super) fn checked(&self, well: bool, after: u32) -> bool {
        let first = !self.checked.swap(true, Ordering::AcqRel);
        if well == self.is_well() {
            self.contrary.store(0, Ordering::Release);
            return false;
        }
        let contrary = self.contrary.fetch_add(1, Ordering::AcqRel).saturating_add(1);
        if contrary < after && !first {
            return false;
        }
        self.contrary.store(0, Ordering::Release);
        self.unwell.store(!well, Ordering::Release);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_check_decides_at_once() {
        let vitals = Vitals::default();
        assert!(vitals.is_well());
        assert!(vitals.checked(false, 3));
        assert!(!vitals.is_well());
    }

    #[test]
    fn later_ones_decide_when_enough_in_a_row_say_the_same() {
        let vitals = Vitals::default();
        assert!(!vitals.checked(true, 2));
        assert!(!vitals.checked(false, 2));
        assert!(!vitals.checked(true, 2), "and the row is broken");
        assert!(!vitals.checked(false, 2));
        assert!(vitals.checked(false, 2));
        assert!(!vitals.is_well());
        assert!(!vitals.checked(true, 2));
        assert!(vitals.checked(true, 2));
        assert!(vitals.is_well());
    }
}
