//! What a change leaves on record: in the journal before it is there to stay, in the audit when it is, and also when it held for
//! a moment and was taken back.

use crate::store::{Record, Refusal, step};

use super::Control;
use super::change::Refused;
use super::file::WriteError;

impl Control {
    /// Puts a record on this node's disk, before what it tells of is there to stay; a warning if that is not possible and
    /// not needed.
    pub(super) fn put_on_record(&self, record: &Record, needed: bool) -> Result<Option<String>, Refused> {
        step("before_intent");
        let intended = self.recorder.intend(record);
        step("intended");
        let Err(error) = intended else { return Ok(None) };
        if needed {
            return Err(Refused::CannotRecord(error.to_string()));
        }
        tracing::error!(%error, revision = record.revision, "cannot write the journal; the revision holds anyway");
        Ok(Some(format!("cannot write the journal: {error}")))
    }

    /// It is made: says so, and lets the audit have it.
    pub(super) fn hand_over_to_audit(&self, record: Record) {
        tracing::info!(
            revision = record.revision,
            author = record.author,
            action = record.action.word(),
            changes = ?record.changes,
            "routing changed"
        );
        self.recorder.confirm(record);
    }

    /// Requests followed a revision for so long, and then it could not be put in the place of the file: it never was one, but
    /// it is on record that it was tried.
    pub(super) fn taken_back(&self, record: &Record, shown_us: u64, error: &WriteError) {
        tracing::error!(
            revision = record.revision,
            author = record.author,
            action = record.action.word(),
            changes = ?record.changes,
            shown_us,
            %error,
            "requests followed this change for a moment; it was taken back, because the routing file could not be replaced"
        );
        let route = match record.changes.as_slice() {
            [one] => Some(one.route.clone()),
            _ => None,
        };
        self.refused(Refusal {
            author: Some(record.author.clone()),
            what: format!("{}, tried for {shown_us} us and taken back", record.action.word()),
            route,
            reason: "taken_back".to_owned(),
        });
    }
}
