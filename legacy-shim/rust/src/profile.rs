//! Whose behaviour to follow: the Werkzeug release under the Flask application.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A Werkzeug release with the Flask that goes with it; older ones are less. Matching, cookies, `Vary`, redirects and pages differ between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Profile {
    /// Werkzeug 1.0.1 with Flask 1.1.2.
    #[default]
    Werkzeug10,
    /// Werkzeug 2.3.8 with Flask 2.3.3.
    Werkzeug23,
    /// Werkzeug 3.0.6 with Flask 3.0.3.
    Werkzeug30,
    /// Werkzeug 3.1 with Flask 3.1.
    Werkzeug31,
}

impl Profile {
    /// All profiles, oldest first.
    pub const ALL: [Profile; 4] =
        [Profile::Werkzeug10, Profile::Werkzeug23, Profile::Werkzeug30, Profile::Werkzeug31];

    /// The profile nearest to a release (`werkzeug-2.1`, `werkzeug-3.0.6`): that whose matching algorithm it has. `None`: the
    /// text names no release of Werkzeug.
    #[must_use]
    pub fn nearest(text: &str) -> Option<Self> {
        let (major, minor) = text.strip_prefix("werkzeug-")?.split_once('.')?;
        let minor = minor.split('.').next()?;
        match (major.parse::<u8>().ok()?, minor.parse::<u8>().ok()?) {
            (0 | 1, _) | (2, 0 | 1) => Some(Profile::Werkzeug10),
            (2, _) => Some(Profile::Werkzeug23),
            (3, 0) => Some(Profile::Werkzeug30),
            (3, _) => Some(Profile::Werkzeug31),
            _ => None,
        }
    }

    /// The name used in settings: `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.0`, `werkzeug-3.1`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Profile::Werkzeug10 => "werkzeug-1.0",
            Profile::Werkzeug23 => "werkzeug-2.3",
            Profile::Werkzeug30 => "werkzeug-3.0",
            Profile::Werkzeug31 => "werkzeug-3.1",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no profile. Releases between the profiles have none: each differs from its neighbours in some answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{name}` is not a profile: {remedy}", name = .0, remedy = remedy(.0))]
pub struct UnknownProfile(pub String);

fn remedy(text: &str) -> String {
    match Profile::nearest(text) {
        Some(profile) => {
            format!(
                "the nearest is `{profile}`; `ficus prove-routes` shows the rules for which it is not near enough"
            )
        }
        None => "write `werkzeug-1.0`, `werkzeug-2.3`, `werkzeug-3.0` or `werkzeug-3.1`".to_owned(),
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == text)
            .ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_releases_are_told_their_nearest_profile() {
        let nearest = |text: &str| Profile::nearest(text).map(Profile::name);
        for (release, profile) in [
            ("werkzeug-0.16", "werkzeug-1.0"),
            ("werkzeug-2.1.2", "werkzeug-1.0"),
            ("werkzeug-2.2", "werkzeug-2.3"),
            ("werkzeug-3.0.6", "werkzeug-3.0"),
            ("werkzeug-3.1.8", "werkzeug-3.1"),
        ] {
            assert_eq!(nearest(release), Some(profile), "{release}");
            let error = release.parse::<Profile>().unwrap_err().to_string();
            assert!(error.contains(&format!("the nearest is `{profile}`")), "{error}");
        }
        assert_eq!(nearest("flask-2.3"), None);
        assert!("werkzeug-9".parse::<Profile>().unwrap_err().to_string().ends_with("or `werkzeug-3.1`"));
    }
}
