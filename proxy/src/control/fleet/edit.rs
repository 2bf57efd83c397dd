//! A hand edit of this node's routing file, offered to the fleet.

use std::path::Path;

use crate::diagnostic::Report;
use crate::route::Table;
use crate::store::{Action, Record};

use super::super::apply::{snapshot, take_on};
use super::super::plan::{Next, changed};
use super::super::start::log_intent;
use super::super::{Control, Failure, Refused, ReloadState, Reloaded, Running, file, standing};
use super::Fleet;
use super::change::may_be_alone;

impl Control {
    /// Makes the edited file the fleet's next revision. If somebody else was faster, or the store is away and the edit
    /// would send users to a candidate, what is running stays.
    pub(in crate::control) fn offer_edit(
        &self,
        fleet: &Fleet,
        path: &Path,
        running: &mut Running,
        (text, base, report): (String, Table, Report),
    ) -> Reloaded {
        if running.blind {
            return Reloaded::Unchanged;
        }
        let now = super::super::moment();
        let before = running.effective();
        let mut pins = running.state.pins.clone();
        pins.stand_against(&before, &base, now);
        pins.forget_agreed(&base);
        let next = Next { text, base, warnings: report, pins, safe: false };
        let after = next.pins.over(&next.base);
        let changes = changed(&before, &after);
        let record = Record {
            revision: running.state.revision + 1,
            at: now,
            author: "file".to_owned(),
            reason: None,
            action: Action::File,
            changes: standing::differences(&before, &after),
            hash: file::hash(&next.text),
            text: Some(next.text.clone()),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&next.pins),
        };
        let alone = may_be_alone(running, &next, &changes, None);
        let known = match self.offer_record(fleet, running, &record, alone) {
            Ok(known) => known,
            Err(refused) => return self.edit_refused(path, running, &next.text, &refused),
        };
        log_intent(&self.recorder, &record);
        let count = changes.len();
        take_on(running, next, &record);
        running.reload = ReloadState { last_success: Some(now), failure: None };
        running.state.fleet = Some(super::super::state::InFleet { unwritten: None, ..known });
        self.swap(running);
        let _ = self.save(running);
        let revision = record.revision;
        tracing::info!(path = %path.display(), revision, changes = count, "routing file taken");
        self.recorder.confirm(record);
        Reloaded::Taken { revision, changes: count }
    }

    fn edit_refused(&self, path: &Path, running: &mut Running, text: &str, refused: &Refused) -> Reloaded {
        if matches!(refused, Refused::Overtaken) {
            let hash = running.hash.clone();
            let warning = self.put_on_disk(running, &hash);
            let _ = self.save(running);
            let message = match warning {
                Some(warning) => format!("{refused}; {warning}"),
                None => format!("{refused}; the edit of `{}` is kept beside it", path.display()),
            };
            return Reloaded::Refused { message, errors: String::new() };
        }
        let message = format!("the edit of `{}` waits: {refused}", path.display());
        let hash = Some(file::hash(text));
        self.refuse(
            running,
            Failure { at: chrono::Utc::now(), hash, message, report: Report::default(), waits: true },
        )
    }
}
