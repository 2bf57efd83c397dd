//! What may be asked of the control, and what it answers.

use serde::Serialize;

use super::file::WriteError;

/// Who wants what, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The user of this machine who asks.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// The revision that the author looked at; absent: whatever holds now. A rollback does not care.
    pub based_on: Option<u64>,
    /// What.
    pub edit: Edit,
}

/// What shall change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A route is answered by somebody else.
    Flip {
        /// The route.
        route: String,
        /// A backend, or `off`.
        to: String,
        /// Only for this share of users, in buckets of 100,000; everybody else is answered by the fallback.
        canary: Option<u32>,
    },
    /// A route, or every route, is answered by its fallback.
    Rollback {
        /// The route; absent: all.
        route: Option<String>,
    },
}

impl Edit {
    pub(super) fn action(&self) -> crate::store::Action {
        match self {
            Self::Flip { .. } => crate::store::Action::Flip,
            Self::Rollback { .. } => crate::store::Action::Rollback,
        }
    }
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The revision that holds now.
    pub revision: u64,
    /// What changed; empty: everything was as asked already, and there is no new revision.
    pub changes: Vec<Changed>,
    /// The routing file could not be written: the rollback is laid over it.
    pub overridden: bool,
    /// What went wrong without stopping the change.
    pub warnings: Vec<String>,
}

/// What changed for one route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The route.
    pub route: String,
    /// What it was, in words.
    pub before: String,
    /// What it is, in words.
    pub after: String,
    /// The command that brings it back.
    pub undo: String,
}

/// Why a change was not made. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// There is nothing to write to.
    #[error(
        "there is no routing file, so everything goes to `legacy`: start ficus with `--routes routes.toml`"
    )]
    NoFile,
    /// No such route.
    #[error("there is no route `{route}`")]
    UnknownRoute {
        /// The name that was asked for.
        route: String,
        /// The nearest names there are.
        near: Vec<String>,
    },
    /// No such backend.
    #[error("there is no backend `{backend}`")]
    UnknownBackend {
        /// The name that was asked for.
        backend: String,
        /// All names there are.
        known: Vec<String>,
    },
    /// A canary to where everybody is already.
    #[error("a canary sends some users to the backend being tried, and `{0}` is the fallback of this route")]
    CanaryToFallback(String),
    /// Somebody else was faster.
    #[error("revision {based_on} is not the current one: {current}")]
    Stale {
        /// The revision that the author looked at.
        based_on: u64,
        /// What holds now, and who did it.
        current: String,
    },
    /// The routing file has been edited and has errors.
    #[error("the routing file has errors, so nothing can be written into it: correct it first")]
    FileBroken {
        /// All errors, as text for people.
        errors: String,
    },
    /// The change would make the routing file wrong.
    #[error("the change would make the routing file wrong")]
    Invalid {
        /// All errors, as text for people.
        errors: String,
    },
    /// An upgrade has put another process in the place of this one.
    #[error("another process has taken over meanwhile: ask again")]
    Moved,
    /// The routing file cannot be written.
    #[error(transparent)]
    CannotWrite(#[from] WriteError),
}
