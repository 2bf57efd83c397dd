//! The memory for bodies that are kept: bounded for all requests together, and free again when a request is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So much there is, in bytes.
#[derive(Debug)]
pub(super) struct Memory {
    used: AtomicUsize,
    most: usize,
}

/// A part of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Room {
    memory: Arc<Memory>,
    size: usize,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { used: AtomicUsize::new(0), most }
    }

    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }
}

impl Room {
    pub(super) fn new(memory: &Arc<Memory>) -> Self {
        Self { memory: Arc::clone(memory), size: 0 }
    }

    /// Takes so much more; false, and nothing taken, if there is not enough.
    pub(super) fn grow(&mut self, size: usize) -> bool {
        let more = |used: usize| used.checked_add(size).filter(|sum| *sum <= self.memory.most);
        let grown = self.memory.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok();
        self.size += if grown { size } else { 0 };
        grown
    }

    /// Gives all of it back.
    pub(super) fn clear(&mut self) {
        let size = std::mem::take(&mut self.size);
        self.memory.used.fetch_sub(size, Ordering::AcqRel);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.clear();
    }
}
