//! A change from the question to the record.

use std::path::Path;
use std::time::Instant;

use chrono::{DateTime, Utc};

use crate::route::Routing;
use crate::store::{Action, Record, Texts, step};

use super::change::{Applied, Change, Changed, Edit, Preview, Refused, Took, micros};
use super::file;
use super::pins::{self, Override, Pins, recorded};
use super::plan::{Edits, Next, Wish, changed, hold, rollback_edits};
use super::state::LastChange;
use super::told::told;
use super::{Control, Reloaded, Running};

/// A change that somebody wants now.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) change: &'a Change,
    pub(super) now: DateTime<Utc>,
    /// When the control was asked.
    pub(super) began: Instant,
}

impl Control {
    /// Makes a change.
    ///
    /// # Errors
    /// When it is refused; then nothing has changed.
    pub fn apply(&self, change: &Change) -> Result<Applied, Refused> {
        match &self.fleet {
            Some(fleet) => self.apply_in_fleet(fleet, change),
            None => self.apply_alone(change),
        }
    }

    fn apply_alone(&self, change: &Change) -> Result<Applied, Refused> {
        let began = Instant::now();
        let (change, past) = self.with_past(change);
        let mut running = self.lock_to_change().ok_or(Refused::Moved)?;
        let Some(path) = &self.path else {
            return without_file(&change, &running);
        };
        let disk = self.look(path, &mut running);
        check_revision(&change, &running)?;
        let now = Utc::now();
        let wish = Wish { change: &change, past: past.as_ref(), now };
        let wanted = Wanted { change: &change, now, began };
        let attempt = self
            .attempt(&running, &disk, &wish)
            .and_then(|next| self.commit(path, &mut running, next, wanted));
        match attempt {
            Err(Refused::CannotWrite(_) | Refused::FileBroken { .. } | Refused::CannotRecord(_)) => {
                let Some(edits) = safe_edits(&running, &change)? else { return attempt };
                let cause = attempt.map_or_else(|refused| refused.to_string(), |_| String::new());
                let mut next = Next::overridden(&running, &edits, &self.override_of(&change, now));
                hold_what_moves(&running, &mut next, &change, now);
                let laid_over = self.commit(path, &mut running, next, wanted);
                // The first attempt showed requests a revision that did not come to be.
                self.swap(&running);
                let mut applied = laid_over?;
                applied.overridden = !applied.changes.is_empty();
                if let (true, [change]) = (applied.overridden, applied.changes.as_slice()) {
                    applied.undo = Some(format!("ficus resume {}", change.route));
                }
                applied.warnings.insert(0, cause);
                Ok(applied)
            }
            other => other,
        }
    }

    /// Says what a change would do, and does nothing.
    ///
    /// # Errors
    /// When it would be refused.
    pub fn preview(&self, change: &Change) -> Result<Preview, Refused> {
        let (change, past) = self.with_past(change);
        let mut running = self.lock_to_change().ok_or(Refused::Moved)?;
        let Some(path) = &self.path else {
            return Err(Refused::NoFile);
        };
        let disk = self.look(path, &mut running);
        check_revision(&change, &running)?;
        let now = Utc::now();
        let wish = Wish { change: &change, past: past.as_ref(), now };
        let next = match (self.attempt(&running, &disk, &wish), &change.edit) {
            (Err(Refused::FileBroken { .. }), Edit::Rollback { .. }) => {
                let edits = safe_edits(&running, &change)?.unwrap_or_default();
                Next::overridden(&running, &edits, &self.override_of(&change, now))
            }
            (planned, _) => planned?,
        };
        Ok(next.preview(&running))
    }

    /// The past is asked for before anything is locked: a store that is slow must not hold up a rollback.
    pub(super) fn with_past(&self, change: &Change) -> (Change, Option<Texts>) {
        let mut change = change.clone();
        let mut past = None;
        if let Edit::Undo { revision, .. } = &mut change.edit {
            let number = revision.unwrap_or_else(|| self.lock().state.revision);
            *revision = Some(number);
            past = self.recorder.texts(number);
            if let Some(edit) = past.as_ref().and_then(|past| other_way(&past.record)) {
                change.edit = edit;
                change.reason.get_or_insert_with(|| format!("undo of revision {number}"));
            }
        }
        (change, past)
    }

    pub(super) fn attempt(
        &self,
        running: &Running,
        disk: &Reloaded,
        wish: &Wish<'_>,
    ) -> Result<Next, Refused> {
        let change = wish.change;
        // A whole new file takes the place of a broken one, and a pin needs no file.
        let needs_file = !matches!(
            change.edit,
            Edit::Apply { .. }
                | Edit::Hold { .. }
                | Edit::Resume { .. }
                | Edit::Approve { .. }
                | Edit::Record { .. }
        );
        if let (true, Reloaded::Refused { message, errors }) = (needs_file, disk) {
            let errors = if errors.is_empty() { message.clone() } else { errors.clone() };
            return Err(Refused::FileBroken { errors });
        }
        let mut next = self.plan(running, wish)?;
        if let Edit::Rollback { .. } = change.edit {
            hold_what_moves(running, &mut next, change, wish.now);
        }
        next.safe |= safe_edits(running, change)?.is_some();
        Ok(next)
    }

    /// Records, swaps, writes. After an error nothing has changed.
    ///
    /// What sends nobody to a candidate holds for requests before anything is on disk. Everything else holds when it is on
    /// record and the new text has its room beside the file, and goes back if the file cannot be replaced after all.
    fn commit(
        &self,
        path: &Path,
        running: &mut Running,
        next: Next,
        wanted: Wanted<'_>,
    ) -> Result<Applied, Refused> {
        let before = running.effective();
        let after = next.pins.over(&next.base);
        let changes = changed(&before, &after);
        let writes = next.text != running.state.text;
        let only_told = matches!(wanted.change.edit, Edit::Record { .. });
        if changes.is_empty() && next.pins == running.state.pins && !writes && !only_told {
            return Ok(nothing(running));
        }
        let record = self.record(running, &next, wanted);
        let mut took = Took::default();
        let mut swap = |table| {
            self.live.store(Routing { revision: record.revision, table });
            took.swapped_us = micros(wanted.began);
        };
        let more = changes.iter().any(|change| change.more)
            || matches!(wanted.change.edit, Edit::Resume { .. } | Edit::Approve { .. } | Edit::Record { .. });
        // Nobody waits for a disk on the way to safety: if the file cannot be written, this is laid over it.
        let mut waits = Some(after);
        if next.safe {
            waits.take().into_iter().for_each(&mut swap);
        }
        let prepared = if writes { Some(file::prepare(path, &next.text)?) } else { None };
        let unrecorded = self.put_on_record(&record, more && !next.safe)?;
        waits.into_iter().for_each(&mut swap);
        step("swapped");
        if let Err(error) = prepared.map_or(Ok(()), file::Prepared::finish) {
            if !next.safe {
                self.swap(running);
                self.taken_back(&record, micros(wanted.began).saturating_sub(took.swapped_us), &error);
            }
            self.recorder.withdraw(&record);
            return Err(error.into());
        }
        let mut applied = applied(running, &next, changes, &record);
        take_on(running, next, &record);
        applied.warnings.extend(unrecorded);
        applied.warnings.extend(self.save(running).err());
        step("saved");
        took.durable_us = micros(wanted.began);
        applied.took = took;
        self.hand_over_to_audit(record);
        Ok(applied)
    }

    pub(super) fn record(&self, running: &Running, next: &Next, wanted: Wanted<'_>) -> Record {
        let Wanted { change, now, .. } = wanted;
        let undoes = match &change.edit {
            Edit::Undo { revision, .. } => *revision,
            _ => None,
        };
        let said = change.reason.clone();
        let told = match &change.edit {
            Edit::Record { routes, until } => told(routes, *until),
            _ => Vec::new(),
        };
        Record {
            revision: running.state.revision + 1,
            at: now,
            author: change.author.clone(),
            reason: said.or_else(|| undoes.map(|revision| format!("undo of revision {revision}"))),
            action: change.edit.action(),
            changes: recorded((&running.base, &running.state.pins), (&next.base, &next.pins))
                .into_iter()
                .chain(told)
                .collect(),
            hash: file::hash(&next.text),
            text: Some(next.text.clone()),
            undoes,
            node: None,
            cut_off: false,
            pins: snapshot(&next.pins),
        }
    }

    fn override_of(&self, change: &Change, now: DateTime<Utc>) -> Override {
        let lasts = match &change.edit {
            Edit::Rollback { lasts: Some(lasts), .. } => Some(*lasts),
            _ => self.override_lasts,
        };
        Override {
            since: now,
            author: change.author.clone(),
            reason: change.reason.clone(),
            expires: pins::end(now, lasts),
            to: None,
        }
    }
}

/// What was decided is what this node runs from now on.
pub(super) fn take_on(running: &mut Running, next: Next, record: &Record) {
    running.base = next.base;
    running.hash.clone_from(&record.hash);
    running.warnings = next.warnings;
    running.state.revision = record.revision;
    running.state.text = next.text;
    running.state.pins = next.pins;
    running.state.last = Some(LastChange::from(record));
}

/// What takes back a change that set or ended a hold, and left the file as it was.
fn other_way(record: &Record) -> Option<Edit> {
    let route = record.changes.first()?.route.clone();
    match record.action {
        Action::Hold => Some(Edit::Resume { route }),
        Action::Resume => Some(Edit::Hold { route, lasts: None }),
        _ => None,
    }
}

/// What lies over the file, as it goes into the audit.
pub(super) fn snapshot(pins: &Pins) -> serde_json::Value {
    if *pins == Pins::default() {
        return serde_json::Value::Null;
    }
    serde_json::to_value(pins).unwrap_or_default()
}

/// The edits of a change after which the fallback answers everybody; absent: it is another kind of change.
pub(super) fn safe_edits(running: &Running, change: &Change) -> Result<Option<Edits>, Refused> {
    match &change.edit {
        Edit::Rollback { route, .. } => rollback_edits(&running.base, route.as_deref()).map(Some),
        Edit::Flip { route, to, canary: None } => {
            let to_fallback = running.base.route(route).is_some_and(|known| known.fallback == *to);
            if to_fallback { rollback_edits(&running.base, Some(route)).map(Some) } else { Ok(None) }
        }
        _ => Ok(None),
    }
}

/// A rollback holds what it moves.
pub(super) fn hold_what_moves(running: &Running, next: &mut Next, change: &Change, now: DateTime<Utc>) {
    let lasts = match &change.edit {
        Edit::Rollback { lasts, .. } => *lasts,
        _ => None,
    };
    for moved in changed(&running.effective(), &next.pins.over(&next.base)) {
        next.pins.holds.insert(moved.route, hold(change, true, (now, lasts)));
    }
}

fn without_file(change: &Change, running: &Running) -> Result<Applied, Refused> {
    match change.edit {
        Edit::Rollback { route: None, .. } => Ok(nothing(running)),
        _ => Err(Refused::NoFile),
    }
}

pub(super) fn nothing(running: &Running) -> Applied {
    Applied {
        revision: running.state.revision,
        changes: Vec::new(),
        held: Vec::new(),
        resumed: Vec::new(),
        undo: None,
        overridden: false,
        warnings: Vec::new(),
        took: Took::default(),
    }
}

/// A person who decided on an old picture is told what happened since. A rollback is right on any picture.
pub(super) fn check_revision(change: &Change, running: &Running) -> Result<(), Refused> {
    let Some(based_on) = change.based_on.filter(|_| !matches!(change.edit, Edit::Rollback { .. })) else {
        return Ok(());
    };
    if based_on == running.state.revision {
        return Ok(());
    }
    let current = match &running.state.last {
        Some(last) => {
            let what: Vec<String> =
                last.changes.iter().map(|change| format!("{}: {}", change.route, change.words())).collect();
            let what = if what.is_empty() { last.action.word().to_owned() } else { what.join("; ") };
            format!(
                "{} was made by `{}` at {} ({what})",
                running.state.revision,
                last.author,
                last.at.format("%F %T UTC")
            )
        }
        None => format!("{} holds now", running.state.revision),
    };
    Err(Refused::Stale { based_on, current })
}

pub(super) fn applied(running: &Running, next: &Next, changes: Vec<Changed>, record: &Record) -> Applied {
    let names = |new: &Pins, old: &Pins| {
        new.holds.keys().filter(|name| !old.holds.contains_key(*name)).cloned().collect::<Vec<_>>()
    };
    let held = names(&next.pins, &running.state.pins);
    let resumed = names(&running.state.pins, &next.pins);
    let undo = match (record.action, held.first(), resumed.first()) {
        (Action::Hold, Some(route), _) => format!("ficus resume {route}"),
        (Action::Resume, _, Some(route)) => format!("ficus hold {route}"),
        (Action::Record, ..) => "ficus record stop".to_owned(),
        _ => format!("ficus undo {}", record.revision),
    };
    Applied {
        revision: record.revision,
        changes,
        held,
        resumed,
        undo: (record.action != Action::Approve).then_some(undo),
        overridden: false,
        warnings: Vec::new(),
        took: Took::default(),
    }
}
