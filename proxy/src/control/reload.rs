//! Another look at the routing file: a hand edit becomes a revision, a bad file changes nothing.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;

use crate::diagnostic::Source;
use crate::route::read;
use crate::store::{Action, Record};

use super::apply::snapshot;
use super::start::{bad, log_intent, unreadable};
use super::state::{LastChange, Loaded, State};
use super::{Control, Failure, Running, file, standing};

/// What another look at the file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// The file is the one that is running.
    Unchanged,
    /// The file was taken.
    Taken {
        /// The revision it became.
        revision: u64,
        /// How many routes are answered by somebody else now.
        changes: usize,
    },
    /// The file is bad; what was running runs on.
    Refused {
        /// What is wrong, in one line.
        message: String,
        /// All errors, as text for people.
        errors: String,
    },
    /// There is no routing file.
    NoFile,
}

impl Control {
    /// Looks at the file and takes it if it changed and is good.
    pub fn reload(&self) -> Reloaded {
        let Some(path) = &self.path else {
            return Reloaded::NoFile;
        };
        match self.lock_to_change() {
            Some(mut running) => self.look(path, &mut running),
            None => self.follow(path),
        }
    }

    /// Hash of what is on disk now, to see whether somebody is still writing.
    pub(super) fn hash_on_disk(&self) -> Option<String> {
        let text = file::read(self.path.as_ref()?).ok()?;
        Some(file::hash(&text))
    }

    /// Whether a hash is that of a text already looked at: the running one, or the bad one.
    pub(super) fn is_known(&self, hash: Option<&String>) -> bool {
        let running = self.lock();
        if hash.is_some_and(|hash| self.is_left_over(&running, hash)) {
            return true;
        }
        match &running.reload.failure {
            Some(failure) => failure.hash.as_ref() == hash,
            None => hash == Some(&running.hash),
        }
    }

    /// Takes over what `ficus rollback --offline` laid over a file that it could not write, and writes down what could not
    /// be written before.
    pub(super) fn take_over(&self) {
        // During an upgrade it is the other process that writes.
        let Some(mut running) = self.lock_to_change() else { return };
        self.adopt(&mut running);
        if running.unsaved && self.save(&mut running).is_ok() {
            tracing::info!(revision = running.state.revision, "this node remembers again");
        }
    }

    fn adopt(&self, running: &mut Running) {
        let Loaded::Good(saved) = self.state_file.load() else { return };
        if saved.revision > running.state.revision && saved.text == running.state.text {
            tracing::info!(revision = saved.revision, "taken over from an offline rollback");
            running.state = *saved;
            self.swap(running);
        }
    }

    pub(super) fn look(&self, path: &Path, running: &mut Running) -> Reloaded {
        self.adopt(running);
        let text = match settled(path, &running.hash) {
            Ok(text) => text,
            Err(error) => return self.refuse(running, unreadable(path, &error)),
        };
        let hash = file::hash(&text);
        if hash == running.hash || self.is_left_over(running, &hash) {
            if hash == running.hash && running.reload.failure.take().is_some() {
                tracing::info!(path = %path.display(), "the routing file is good again, and is the running one");
            }
            return Reloaded::Unchanged;
        }
        let (table, report) = read(&Source::new(path.display().to_string(), text.as_str()), &self.context);
        let Some(base) = table else {
            return self.refuse(running, bad(path, Some(hash), report));
        };
        report.findings().iter().for_each(|finding| tracing::warn!("{finding}"));
        let before = running.effective();
        let (revision, known) = self.number(&text, running);
        if let (Some(fleet), None) = (&self.fleet, &known) {
            return self.offer_edit(fleet, path, running, (text, base, report));
        }
        if let Some(saved) = &known {
            running.state.pins = saved.pins.clone();
            running.state.fleet.clone_from(&saved.fleet);
        }
        running.state.pins.stand_against(&before, &base, Utc::now());
        running.state.pins.forget_agreed(&base);
        running.base = base;
        running.hash.clone_from(&hash);
        running.warnings = report;
        running.reload = super::ReloadState { last_success: Some(Utc::now()), failure: None };
        let changes = standing::differences(&before, &running.effective());
        let count = changes.len();
        let record = Record {
            revision,
            at: Utc::now(),
            author: "file".to_owned(),
            reason: None,
            action: Action::File,
            changes,
            hash,
            text: Some(text.clone()),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&running.state.pins),
        };
        running.state.revision = revision;
        running.state.text = text;
        let told = known.as_ref().and_then(|saved| saved.last.clone());
        running.state.last = Some(told.unwrap_or_else(|| LastChange::from(&record)));
        self.swap(running);
        tracing::info!(path = %path.display(), revision, changes = count, "routing file taken");
        if known.is_none() {
            log_intent(&self.recorder, &record);
            self.recorder.confirm(record);
            let _ = self.save(running);
        }
        Reloaded::Taken { revision, changes: count }
    }

    /// Whether a text on disk is one that this node could not replace: no edit, and shown as drift.
    fn is_left_over(&self, running: &Running, hash: &String) -> bool {
        let known = running.state.fleet.as_ref().filter(|_| self.fleet.is_some());
        known.is_some_and(|known| known.unwritten.as_ref() == Some(hash))
    }

    pub(super) fn refuse(&self, running: &mut Running, failure: Failure) -> Reloaded {
        let known = running
            .reload
            .failure
            .as_ref()
            .is_some_and(|old| old.hash == failure.hash && failure.hash.is_some());
        let refused =
            Reloaded::Refused { message: failure.message.clone(), errors: failure.report.render(false) };
        if !known {
            tracing::error!(
                revision = running.state.revision,
                "{}; the running routes stay\n{}",
                failure.message,
                failure.report.render(false)
            );
            running.reload.failure = Some(failure);
        }
        refused
    }

    /// The next revision; or the one that `ficus rollback --offline` gave to this very text a moment ago.
    fn number(&self, text: &str, running: &Running) -> (u64, Option<Box<State>>) {
        match self.state_file.load() {
            Loaded::Good(saved) if saved.revision > running.state.revision && saved.text == text => {
                (saved.revision, Some(saved))
            }
            Loaded::Good(saved) => (running.state.revision.max(saved.revision) + 1, None),
            Loaded::Missing | Loaded::Damaged(_) => (running.state.revision + 1, None),
        }
    }
}

/// Reads a file that somebody may still be writing: until two looks in a row see the same.
fn settled(path: &Path, running: &str) -> std::io::Result<String> {
    let mut text = file::read(path)?;
    for _ in 0..20 {
        if file::hash(&text) == running || !just_written(path) {
            break;
        }
        std::thread::sleep(Duration::from_millis(30));
        let again = file::read(path)?;
        if again == text {
            break;
        }
        text = again;
    }
    Ok(text)
}

fn just_written(path: &Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|at| at.elapsed().is_ok_and(|age| age < Duration::from_millis(100)))
}
