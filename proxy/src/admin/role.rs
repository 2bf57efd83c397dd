//! What somebody may do with the admin API.

use serde::{Deserialize, Serialize};

use crate::route::covers;

/// From little to everything; each one may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Changes the routing.
    Operator,
    /// Puts another process in the place of this one, and says who may do what.
    Admin,
}

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Whoever asks, when it is known who that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// As it goes into the history.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
    /// The routes that they may change, as names or as `customers.*`; empty: all.
    pub(super) routes: Vec<String>,
}

impl Caller {
    /// Whether they may change this route.
    pub(super) fn covers(&self, route: &str) -> bool {
        self.routes.is_empty() || self.routes.iter().any(|pattern| covers(pattern, route))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_those_before_it_may() {
        assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    }
}
