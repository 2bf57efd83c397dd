//! Whose behaviour to follow: the Werkzeug release under the Flask application.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A Werkzeug release with the Flask that goes with it. Matching, cookies, `Vary`, redirects and pages differ between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Profile {
    /// Werkzeug 1.0.1 with Flask 1.1.2.
    #[default]
    Werkzeug10,
    /// Werkzeug 2.3.8 with Flask 2.3.3.
    Werkzeug23,
    /// Werkzeug 3.1 with Flask 3.1.
    Werkzeug31,
}

impl Profile {
    /// All profiles, oldest first.
    pub const ALL: [Profile; 3] = [Profile::Werkzeug10, Profile::Werkzeug23, Profile::Werkzeug31];

    /// The name used in settings: `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Werkzeug10 => "werkzeug-1.0",
            Profile::Werkzeug23 => "werkzeug-2.3",
            Profile::Werkzeug31 => "werkzeug-3.1",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no profile.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown profile `{0}`, known are `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.1`")]
pub struct UnknownProfile(pub String);

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}
