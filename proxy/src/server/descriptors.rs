//! File descriptors: as many as the system allows, and how many of them clients may use.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::runtime::threads;
use crate::settings::Settings;

/// For files, the store, the admin API.
const OWN: u64 = 112;
/// For each thread that answers requests: its runtime, and its part of the listeners.
const OF_A_WORKER: u64 = 8;

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

/// What is left for clients; where descriptors are few, clients and backends share them.
fn for_clients(descriptors: u64, backends: u64, workers: u64) -> u64 {
    let left = descriptors - (OWN + workers * OF_A_WORKER).min(descriptors / 2);
    (left - backends.min(left / 2)).max(1)
}

/// How many connections clients may have, so that backends can still be reached.
pub(super) fn connections(settings: &Settings, descriptors: u64) -> usize {
    let wanted = settings.limits.connections as u64;
    let backends: u64 = settings.backends.values().map(|backend| backend.max_requests as u64).sum();
    let most = wanted.min(for_clients(descriptors, backends, threads() as u64));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_can_be_reached_whatever_the_limit() {
        for (descriptors, backends, expected) in [
            (20_000, 3_072, 16_800),
            (1_024, 3_072, 448),
            (200, 3_072, 50),
            (200, 10, 90),
            (1, 1, 1),
            (0, 1, 1),
        ] {
            assert_eq!(for_clients(descriptors, backends, 2), expected, "{descriptors} {backends}");
        }
    }
}
