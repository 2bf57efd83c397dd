//! What a scrape of the metrics asks the rooms that `observe` may not know.

use std::sync::Arc;

use crate::control::{Control, FleetStatus};
use crate::observe::{BackendState, FleetState, Sources, UpstreamState};
use crate::upstream::{BackendHealth, Backends, UpstreamHealth};

/// The questions.
pub(super) fn of(control: &Arc<Control>, backends: &Arc<Backends>) -> Sources {
    let (control, backends) = (Arc::clone(control), Arc::clone(backends));
    let upstream = |upstream: UpstreamHealth| UpstreamState {
        address: upstream.address,
        up: upstream.up,
        in_flight: upstream.in_flight,
        ejections: upstream.ejections,
    };
    let state = move |backend: BackendHealth| BackendState {
        name: backend.name,
        in_flight: backend.in_flight,
        queued: backend.queued,
        waiting: backend.waiting,
        upstreams: backend.upstreams.into_iter().map(upstream).collect(),
    };
    let of_fleet = Arc::clone(&control);
    Sources {
        fleet: Box::new(move || of_fleet.fleet_status().as_ref().map(fleet)),
        backends: Box::new(move || backends.health().into_iter().map(state).collect()),
        reload: Box::new(move || control.reload_state()),
    }
}

/// The fleet in numbers, as it was seen last.
fn fleet(status: &FleetStatus) -> FleetState {
    let live = || status.nodes.iter().filter(|node| node.live);
    let newest = live().map(|node| node.revision).max().unwrap_or_default();
    let own = status.nodes.iter().find(|node| node.name == status.node).map(|node| node.revision);
    FleetState {
        live: live().count(),
        gone: status.nodes.iter().filter(|node| !node.live).count(),
        behind: live().filter(|node| node.revision < newest).count(),
        revisions_behind: newest.saturating_sub(own.unwrap_or(newest)),
        cut_off: status.error.is_some(),
        last_contact: status.heard,
        unshared: status.unshared,
        waiting: status.waiting,
    }
}
