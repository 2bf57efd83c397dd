//! Ctrl-C, SIGTERM and SIGHUP as a counter that loops look at: one means "stop tidily", two mean "now".
//! Nothing is done inside the signal handler itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::problem::{Context, Outcome};

/// How often somebody asked us to stop.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupts(Arc<AtomicUsize>);

impl Interrupts {
    /// From now on signals are counted instead of killing the process.
    pub(crate) fn watch() -> Outcome<Self> {
        let interrupts = Self::default();
        let counter = Arc::clone(&interrupts.0);
        let mut signals =
            Signals::new([SIGINT, SIGTERM, SIGHUP]).context(|| "cannot watch signals".into())?;
        thread::spawn(move || {
            for _ in signals.forever() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(interrupts)
    }

    /// Somebody asked us to stop.
    pub(crate) fn asked(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 0
    }

    /// Somebody asked twice: no more patience.
    pub(crate) fn insisted(&self) -> bool {
        self.0.load(Ordering::SeqCst) > 1
    }

    /// Waits until `ready` says so, somebody asks us to stop, or the deadline passes; true when ready.
    pub(crate) fn wait_for(&self, limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if ready() {
                return true;
            }
            if self.asked() || Instant::now() >= deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}
