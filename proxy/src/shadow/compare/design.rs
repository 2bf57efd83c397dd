//! What differs by design between the two sides: Flask and Werkzeug changed these things on purpose, and a port to Rust
//! may write them in its own way. Each is a built-in rule, counted like any other.

use flask_compat::Profile;

/// What stands behind a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Flask, with this Werkzeug.
    Flask(Profile),
    /// Rust handlers that follow this Werkzeug.
    Rust(Profile),
}

impl Side {
    /// `rust`, or the release.
    pub fn word(self) -> &'static str {
        match self {
            Self::Flask(profile) => profile.name(),
            Self::Rust(_) => "rust",
        }
    }

    /// The release, or the one that is followed.
    pub fn profile(self) -> Profile {
        match self {
            Self::Flask(profile) | Self::Rust(profile) => profile,
        }
    }
}

/// What two sides may do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// Werkzeug's own error and redirect pages have another text.
    pub(super) pages: bool,
    /// `Location` is absolute on one side and relative on the other.
    pub(super) location: bool,
    /// Files are sent with other caching headers.
    pub(super) files: bool,
    /// `Vary: Cookie` is sent in other cases.
    pub(super) vary: bool,
    /// Deleted cookies carry more attributes; newer releases add `HttpOnly`.
    pub(super) cookies: bool,
    /// `ETag`s are made by another hash.
    pub(super) etags: bool,
    /// Fields of forms carry the limits of their validators as attributes (WTForms 3).
    pub(super) forms: bool,
}

impl Design {
    /// Both sides are the same.
    pub(super) fn none() -> Self {
        let side = Side::Flask(Profile::Werkzeug10);
        Self::of(side, side)
    }

    /// Of a pair of sides.
    pub fn of(reference: Side, candidate: Side) -> Self {
        let releases = reference.profile() != candidate.profile();
        let rust = matches!(reference, Side::Rust(_)) || matches!(candidate, Side::Rust(_));
        Self {
            pages: releases || rust,
            location: releases || rust,
            files: releases,
            vary: releases,
            cookies: releases,
            etags: releases,
            forms: releases,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_release_has_no_excuse() {
        let old = Side::Flask(Profile::Werkzeug10);
        let none = Design::of(old, old);
        assert!(!none.pages && !none.location && !none.files && !none.vary && !none.cookies && !none.etags);
        let port = Design::of(old, Side::Rust(Profile::Werkzeug10));
        assert!(port.pages && port.location && !port.vary && !port.cookies);
        let upgrade = Design::of(old, Side::Flask(Profile::Werkzeug31));
        assert!(upgrade.pages && upgrade.location && upgrade.files && upgrade.vary && upgrade.cookies);
    }
}
