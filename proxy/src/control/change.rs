//! What may be asked of the control, and what it answers.

use std::time::Duration;

use serde::Serialize;

use crate::diagnostic::Network;
use crate::store::Action;

use super::file::WriteError;

/// Who wants what, and why.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// A route is answered by somebody else.
    Flip {
        /// The route.
        route: String,
        /// A backend, or `off`.
        to: String,
        /// Only for these people; everybody else is answered by the fallback.
        canary: Option<Crowd>,
    },
    /// The candidate of a route is given to these people; everybody else is answered by the fallback.
    Canary {
        /// The route.
        route: String,
        /// Who.
        crowd: Crowd,
    },
    /// What is copied of a route's requests, or what may differ, changes.
    Shadow {
        /// The route.
        route: String,
        /// What changes.
        edit: super::ShadowEdit,
    },
    /// A route, or every route, is answered by its fallback, and held there.
    Rollback {
        /// The route; absent: all.
        route: Option<String>,
        /// How long it is held; absent: until somebody resumes it.
        lasts: Option<Duration>,
    },
    /// A route is pinned as it is: nothing sends more users to its candidate.
    Hold {
        /// The route.
        route: String,
        /// How long; absent: until somebody resumes it.
        lasts: Option<Duration>,
    },
    /// The end of a hold, and of what lies over the file because of it.
    Resume {
        /// The route.
        route: String,
    },
    /// A person agrees to the next step of a route, as it is now.
    Approve {
        /// The route.
        route: String,
        /// The step, in words.
        step: String,
        /// What was looked at: another digest means that the approval is for something else.
        digest: String,
    },
    /// Users' traffic of these routes is recorded from now on, or is not any more: nobody is answered by somebody else, but it
    /// is on record.
    Record {
        /// The routes.
        routes: Vec<String>,
        /// Until when; absent: it has ended.
        until: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// A change of the past is taken back.
    Undo {
        /// Its revision; absent: the last change.
        revision: Option<u64>,
        /// Also where the same route was changed again since.
        force: bool,
    },
    /// Another text for the whole routing file.
    Apply {
        /// The text.
        text: String,
        /// Where it came from, for messages.
        name: String,
    },
}

impl Edit {
    pub(super) fn action(&self) -> Action {
        match self {
            Self::Flip { .. } => Action::Flip,
            Self::Canary { .. } => Action::Canary,
            Self::Shadow { .. } => Action::Shadow,
            Self::Rollback { .. } => Action::Rollback,
            Self::Hold { .. } => Action::Hold,
            Self::Resume { .. } => Action::Resume,
            Self::Approve { .. } => Action::Approve,
            Self::Record { .. } => Action::Record,
            Self::Undo { .. } => Action::Undo,
            Self::Apply { .. } => Action::Apply,
        }
    }
}

/// Who is served by a candidate. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Crowd {
    /// The share of all users, in buckets of 100,000.
    pub buckets: Option<u32>,
    /// Users by id.
    pub users: Option<Vec<String>>,
    /// Users by role.
    pub roles: Option<Vec<String>>,
    /// Clients by network.
    pub networks: Option<Vec<Network>>,
    /// Whether testers may choose.
    pub testers: Option<bool>,
    /// Seed of the hash.
    pub group: Option<String>,
}

impl Crowd {
    /// Nobody, whoever it was before.
    pub fn nobody() -> Self {
        Self {
            buckets: Some(0),
            users: Some(Vec::new()),
            roles: Some(Vec::new()),
            networks: Some(Vec::new()),
            testers: Some(false),
            group: None,
        }
    }

    pub(super) fn has_anybody(&self) -> bool {
        let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        self.buckets.is_some_and(|buckets| buckets > 0)
            || self.testers == Some(true)
            || some(&self.users)
            || some(&self.roles)
            || self.networks.as_ref().is_some_and(|networks| !networks.is_empty())
    }
}

/// What a change did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Applied {
    /// The revision that holds now.
    pub revision: u64,
    /// What changed; empty: no route is answered by somebody else than before.
    pub changes: Vec<Changed>,
    /// Routes that are held now and were not before.
    pub held: Vec<String>,
    /// Routes that were held and are not any more.
    pub resumed: Vec<String>,
    /// The command that takes it back; absent: there is no new revision.
    pub undo: Option<String>,
    /// The routing file could not be written: the rollback is laid over it.
    pub overridden: bool,
    /// What went wrong without stopping the change.
    pub warnings: Vec<String>,
    /// How long that took.
    pub took: Took,
}

/// How long the parts of a change took, in microseconds from the moment at which the control was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Took {
    /// Until requests on this node were given to whoever shall answer them.
    pub swapped_us: u64,
    /// Until the shared store had it; zero: this node is alone.
    pub published_us: u64,
    /// Until it would have outlived a power cut.
    pub durable_us: u64,
}

/// The time since `began`, in microseconds.
pub(super) fn micros(began: std::time::Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
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
    /// Whether anybody is answered by another backend than the fallback who was not before.
    pub more: bool,
}

/// What a change would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// The revision that it is based on.
    pub revision: u64,
    /// What would change.
    pub changes: Vec<Changed>,
    /// Whether a person should be asked: it sends more users away from the fallback, or switches something off.
    pub ask: bool,
    /// The difference in the routing file, as a unified diff; empty: none.
    pub diff: String,
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
    /// A person pinned it.
    #[error("{0}")]
    Held(String),
    /// Nothing of this number to take back.
    #[error("{0}")]
    CannotUndo(String),
    /// It was changed again since.
    #[error("{0}")]
    ChangedSince(String),
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
    /// The store that the fleet shares is away.
    #[error(
        "this node is cut off from its fleet ({0}): only `rollback`, `hold` and what sends fewer users to a candidate can \
         be done, on this node alone"
    )]
    CutOff(String),
    /// The store that the fleet shares broke off at the worst moment.
    #[error(
        "the shared store broke off while revision {revision} was being made ({why}): it holds for the whole fleet or not \
         at all, `ficus status` will show which"
    )]
    Unsure {
        /// The revision.
        revision: u64,
        /// What went wrong.
        why: String,
    },
    /// Other nodes make changes all the time.
    #[error("somebody else in the fleet changed the routing at the same time: ask again")]
    Overtaken,
    /// What cannot be put on record does not send more users to a candidate.
    #[error("the change cannot be put on record, so it is not made: {0}")]
    CannotRecord(String),
}
