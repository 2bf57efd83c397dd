//! What happened: revisions of the routing and who made them, append-only, and attempts that were refused (`refusals`).
//!
//! The last step of a flip. Nothing here decides anything, and nobody waits for it: a record goes into a journal
//! file on this node first (`journal`), a thread of its own (`worker`, driven by `recorder`) adds it to the audit's chain
//! (`chain`) and carries it into the database, and while the database is away the journal grows. The nodes of a fleet share
//! theirs, and there a revision is made only if it holds for all of them (`fleet`). SQL is in `sqlite`, `fleet`, `diffs`,
//! `records`, `tally`, `answers`, `capture` and `clones` only.

mod answers;
mod audit;
mod capture;
mod chain;
mod clones;
mod database;
mod diffs;
mod fleet;
mod journal;
mod local;
mod recorder;
mod records;
mod refusals;
mod sqlite;
mod step;
mod tally;
mod worker;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use answers::{Answered, Answers, Earlier, Keyed};
pub use audit::Audit;
pub use capture::{Captured, CapturedTable, Catalogue, Installation, Taken, TriggerState};
pub use chain::{Broken, Link};
pub use clones::{Original, TableRows, TableShape};
pub use diffs::{Bounds, DiffGroup, Diffs, GroupRow, Mismatch, Wanted};
pub use fleet::{
    Away, FleetBook, Heard, KeptIncident, Member, News, Node, Presence, Publication, Published, Shared,
    Since, Teller,
};
pub use recorder::{Paused, Recorder, StoreHealth, Texts};
pub use records::{Document, Records};
pub use refusals::Refusal;
pub use step::step;
pub use tally::{Book, Daily, KEPT_DAYS, Known, Sums, Tallied, Tally};

/// One revision and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The revision's number.
    pub revision: u64,
    /// When it began to hold.
    pub at: DateTime<Utc>,
    /// Who made it: a user of this machine, or `file` for a hand edit.
    pub author: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// What was asked for.
    pub action: Action,
    /// What it changed, route by route.
    #[serde(rename = "routes")]
    pub changes: Vec<RouteChange>,
    /// Hash of the routing file that belongs to it.
    pub hash: String,
    /// The routing file that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The revision that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<u64>,
    /// The node that made it, when it comes from the store of a fleet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// It was made while nobody else could hear of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut_off: bool,
    /// What lies over the routing file from then on; the control reads it back when its own memory is lost.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub pins: Value,
}

impl Record {
    /// Who made it, and in a fleet where.
    pub fn who(&self) -> String {
        let place = self.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
        let cut_off = if self.cut_off { ", cut off" } else { "" };
        format!("{}{place}{cut_off}", self.author)
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A flip by name.
    Flip,
    /// Another share or list of users for the candidate.
    Canary,
    /// A flip to the fallback.
    Rollback,
    /// A pin by a person.
    Hold,
    /// The end of a pin.
    Resume,
    /// A person agrees to the next step of a route.
    Approve,
    /// Users' traffic is recorded from now on, or is not any more.
    Record,
    /// An earlier change taken back.
    Undo,
    /// A whole file, through the one door.
    Apply,
    /// A change of what is copied and compared.
    Shadow,
    /// An edit of the file by somebody else.
    File,
    /// A pin or an override that lasted long enough.
    Expire,
    /// What a node did while the others could not hear of it, brought together with what they did.
    Merge,
}

const ACTIONS: &[(Action, &str)] = &[
    (Action::Flip, "flip"),
    (Action::Canary, "canary"),
    (Action::Rollback, "rollback"),
    (Action::Hold, "hold"),
    (Action::Resume, "resume"),
    (Action::Approve, "approve"),
    (Action::Record, "record"),
    (Action::Undo, "undo"),
    (Action::Apply, "apply"),
    (Action::Shadow, "shadow"),
    (Action::File, "file"),
    (Action::Expire, "expire"),
    (Action::Merge, "merge"),
];

impl Action {
    /// The word in the database and on screen.
    pub fn word(self) -> &'static str {
        ACTIONS.iter().find(|(action, _)| *action == self).map_or("file", |(_, word)| word)
    }

    fn from_word(word: &str) -> Self {
        ACTIONS.iter().find(|(_, name)| *name == word).map_or(Self::File, |(action, _)| *action)
    }
}

/// What one route was and became, in words such as `legacy` or `legacy, 5% rust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteChange {
    /// The route's name.
    pub route: String,
    /// What it was; `-`: not there. The same as `after`: nothing moved, as when its traffic is recorded.
    pub before: String,
    /// What it became; `-`: gone.
    pub after: String,
}

impl RouteChange {
    /// `legacy -> rust`; once, if it stayed where it was.
    pub fn words(&self) -> String {
        if self.before == self.after {
            self.after.clone()
        } else {
            format!("{} -> {}", self.before, self.after)
        }
    }
}
