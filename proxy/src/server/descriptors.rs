//! File descriptors: as many as the system allows, and how many of them clients may use.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::settings::Settings;

/// For files, listeners, the store, the admin API.
const OWN: u64 = 128;

/// Raises the limit of this process to what the system allows, as servers do; returns it.
pub(super) fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    if soft >= hard {
        return soft;
    }
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, "cannot raise the limit of open files");
            soft
        }
    }
}

/// How many connections clients may have, so that backends can still be reached.
pub(super) fn connections(settings: &Settings, descriptors: u64) -> usize {
    let wanted = settings.limits.connections as u64;
    let backends: u64 = settings.backends.values().map(|backend| backend.max_requests as u64).sum();
    // Where descriptors are few, clients and backends share them.
    let reserved = OWN + backends.min(descriptors / 3);
    let most = wanted.min(descriptors.saturating_sub(reserved).max(1));
    if most < wanted {
        tracing::warn!(
            wanted,
            most,
            descriptors,
            "`limits.connections` is more than open files allow (LimitNOFILE, ulimit -n)"
        );
    }
    usize::try_from(most).unwrap_or(usize::MAX)
}
