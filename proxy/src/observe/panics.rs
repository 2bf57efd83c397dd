//! Panics: a mistake of ours ends the request or the task in which it happens, and nothing else.
//!
//! Where it happened goes to the log. What it said does not: it may quote what a user sent.

use std::sync::atomic::{AtomicU64, Ordering};

static PANICS: AtomicU64 = AtomicU64::new(0);

/// From now on panics are counted, and logged without their message.
pub fn count_panics() {
    std::panic::set_hook(Box::new(|panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        tracing::error!(place, thread, "a mistake in ficus: one request or task ended abnormally");
    }));
}

/// How many there were.
pub(super) fn count() -> u64 {
    PANICS.load(Ordering::Relaxed)
}
