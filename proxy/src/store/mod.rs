//! What happened: revisions of the routing and who made them, append-only.
//!
//! The last step of a flip. Nothing here decides anything, and nobody waits for it: a record goes into a journal
//! file on this node first (`journal`), a thread of its own carries it into the database (`recorder`), and while
//! the database is away the journal grows. SQL is in `sqlite` only.

mod journal;
mod recorder;
mod sqlite;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use recorder::{Paused, Recorder, StoreHealth};

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
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A flip by name.
    Flip,
    /// A flip to the fallback.
    Rollback,
    /// An edit of the file by somebody else.
    File,
}

impl Action {
    /// The word in the database and on screen.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Rollback => "rollback",
            Self::File => "file",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "flip" => Self::Flip,
            "rollback" => Self::Rollback,
            _ => Self::File,
        }
    }
}

/// What one route was and became, in words such as `legacy` or `legacy, 5% rust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteChange {
    /// The route's name.
    pub route: String,
    /// What it was; `-`: not there.
    pub before: String,
    /// What it became; `-`: gone.
    pub after: String,
}
