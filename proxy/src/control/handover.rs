//! Who makes changes while one process takes the place of another: never two at once.
//!
//! For an upgrade the old process stops changing anything (`hand_over`), the new one reads what there is and goes on
//! from there. Flips that arrive in between wait; rollbacks too, for the few milliseconds that it takes. If the new
//! process fails, the old one goes on as if nothing had been. Requests notice nothing of this. How the two processes
//! talk is in `server`.

use std::path::Path;
use std::sync::{MutexGuard, PoisonError};

use crate::diagnostic::Source;
use crate::route::{Routing, read};
use crate::store::Paused;

use super::state::Loaded;
use super::{Control, Reloaded, Running, file};

/// Whether this process makes changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// It does.
    #[default]
    Us,
    /// It is being settled.
    Unsettled,
    /// Another one does, for good.
    Another,
}

/// Changes wait as long as this lives. Dropping it takes everything back.
#[derive(Debug)]
pub struct HandOver<'c> {
    control: &'c Control,
    paused: Option<Paused>,
}

impl Control {
    /// Lets a change that is being made come to its end, then makes no more. Waits for the disk.
    pub fn hand_over(&self) -> HandOver<'_> {
        self.settle(Owner::Unsettled);
        HandOver { control: self, paused: Some(self.recorder.pause()) }
    }

    /// The running state, to change it; `None`: another process does that now.
    pub(super) fn lock_to_change(&self) -> Option<MutexGuard<'_, Running>> {
        let running = self.lock();
        let unsettled = |running: &mut Running| running.owner == Owner::Unsettled;
        let running = self.settled.wait_while(running, unsettled).unwrap_or_else(PoisonError::into_inner);
        (running.owner == Owner::Us).then_some(running)
    }

    /// Looks at the file of another process: requests that this one still answers follow its flips.
    pub(super) fn follow(&self, path: &Path) -> Reloaded {
        let Ok(text) = file::read(path) else { return Reloaded::Unchanged };
        let source = Source::new(path.display().to_string(), text.as_str());
        let (Some(base), _) = read(&source, &self.context) else { return Reloaded::Unchanged };
        let Loaded::Good(state) = self.state_file.load() else { return Reloaded::Unchanged };
        let mut running = self.lock();
        running.hash = file::hash(&text);
        self.live.store(Routing { revision: state.revision, table: state.pins.over(&base) });
        Reloaded::Unchanged
    }

    fn settle(&self, owner: Owner) {
        self.lock().owner = owner;
        self.settled.notify_all();
    }
}

impl HandOver<'_> {
    /// Another process makes the changes from now on.
    pub fn complete(mut self) {
        drop(self.paused.take());
        self.control.settle(Owner::Another);
    }
}

impl Drop for HandOver<'_> {
    fn drop(&mut self) {
        if let Some(paused) = self.paused.take() {
            paused.resume();
            self.control.settle(Owner::Us);
        }
    }
}
