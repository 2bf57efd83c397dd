//! Which WTForms goes with a profile, and the sentences that differ between the two.

use crate::Profile;

/// 2.3.3 beside Flask 1.1, 3.3.2 beside Flask 2.3 and later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Two,
    Three,
}

impl From<Profile> for Version {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Werkzeug10 => Version::Two,
            Profile::Werkzeug23 | Profile::Werkzeug30 | Profile::Werkzeug31 => Version::Three,
        }
    }
}

impl Version {
    /// A sentence that has a full stop since WTForms 3.
    pub(super) fn sentence(self, text: &str) -> String {
        match self {
            Version::Two => text.to_owned(),
            Version::Three => format!("{text}."),
        }
    }
}
