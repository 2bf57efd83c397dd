//! `[shadow]`: what copies of requests may cost, and what is kept of the differences.

use std::collections::BTreeMap;
use std::time::Duration;

use flask_compat::Profile;

use super::Secret;

/// Bounds on copies of requests and on what is stored.
#[derive(Debug, Clone)]
pub struct ShadowSettings {
    /// Largest body of a request or an answer that is copied.
    pub body_bytes: u64,
    /// Most copies that wait for one backend.
    pub queue: usize,
    /// Most copies in progress on one backend.
    pub concurrency: usize,
    /// Longest wait for the whole answer to a copy.
    pub timeout: Duration,
    /// Differences of one route about which both sides are asked again in a minute.
    pub confirm: u32,
    /// Most groups of differences that are kept for a route.
    pub groups: u32,
    /// Most samples that are kept for a group.
    pub samples: u32,
    /// How long a group is kept after its last difference.
    pub keep: Duration,
    /// What stands behind a backend, where it is not what `flask.profile` says.
    pub profiles: BTreeMap<String, Stack>,
    /// The application's database, where rows are captured; absent: writes are not tried out.
    pub database: Option<Secret>,
    /// Fernet keys of encrypted columns, with commas between them.
    pub fernet_keys: Option<Secret>,
    /// Most dry runs at a time.
    pub dry_runs: usize,
    /// Longest wait for a dry run, which is what users may wait longer for.
    pub dry_run_timeout: Duration,
    /// How often it is tested that comparing a route works.
    pub self_test: Duration,
    /// How often the fallback may be asked twice, a minute, of all routes; 0: never.
    pub noise: u32,
    /// How often of each route.
    pub noise_per_route: u32,
}

/// What stands behind a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// Flask with this Werkzeug.
    Flask(Profile),
    /// Rust handlers.
    Rust,
}

/// `legacy-next=werkzeug-2.3`, `handlers=rust`.
pub(super) fn stack(text: &str) -> Result<(String, Stack), String> {
    let (name, stack) = text.split_once('=').ok_or_else(|| {
        format!("`{text}` names no backend: write `NAME=PROFILE`, such as `legacy-next=werkzeug-2.3`")
    })?;
    let stack = match stack.trim() {
        "rust" => Stack::Rust,
        profile => {
            Stack::Flask(super::values::profile(profile).map_err(|error| format!("{error}, or `rust`"))?)
        }
    };
    Ok((name.trim().to_owned(), stack))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_a_release_or_rust() {
        let next = Ok(("legacy-next".to_owned(), Stack::Flask(Profile::Werkzeug23)));
        assert_eq!(stack("legacy-next=werkzeug-2.3"), next);
        assert_eq!(stack("handlers = rust"), Ok(("handlers".to_owned(), Stack::Rust)));
        assert!(stack("legacy-next").is_err() && stack("a=flask-2").is_err());
    }
}
