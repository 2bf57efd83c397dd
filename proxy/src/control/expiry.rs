//! The end of holds and overrides that were set for a time.

use chrono::{DateTime, SubsecRound, Utc};

use crate::store::{Action, Record};

use super::Control;
use super::apply::snapshot;
use super::pins::recorded;
use super::state::LastChange;

impl Control {
    /// Ends what has lasted long enough, as a revision of its own. Called every few seconds by whoever watches the file.
    pub(super) fn expire(&self, now: DateTime<Utc>) {
        // During an upgrade it is the other process that keeps the time.
        let Some(mut running) = self.lock_to_change() else { return };
        let mut pins = running.state.pins.clone();
        if !pins.expire(now) {
            return;
        }
        let ended: Vec<String> =
            running.state.pins.holds.keys().filter(|name| !pins.holds.contains_key(*name)).cloned().collect();
        let record = Record {
            revision: running.state.revision + 1,
            at: now.trunc_subsecs(6),
            author: "expiry".to_owned(),
            reason: Some(format!("the time set for it is over: {}", ended.join(", "))),
            action: Action::Expire,
            changes: recorded((&running.base, &running.state.pins), (&running.base, &pins)),
            hash: running.hash.clone(),
            text: Some(running.state.text.clone()),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&pins),
        };
        // What cannot be put on record does not give traffic back; it is tried again. In a fleet the shared store has the record:
        // a node that nobody hears does not give traffic back, and one that was too late sees what another one did.
        let known = match &self.fleet {
            None => self.recorder.intend(&record).map(|()| running.state.fleet.clone()).map_err(|error| {
                tracing::error!(%error, "cannot write the journal; holds that are over stay for now");
            }),
            Some(fleet) => self.offer_record(fleet, &running, &record, false).map(Some).map_err(drop),
        };
        let Ok(known) = known else { return };
        running.state.pins = pins;
        running.state.fleet = known;
        running.state.revision = record.revision;
        running.state.last = Some(LastChange::from(&record));
        self.swap(&running);
        let _ = self.save(&mut running);
        tracing::info!(revision = record.revision, changes = ?record.changes, "holds are over");
        self.recorder.confirm(record);
    }
}
