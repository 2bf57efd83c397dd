//! What a scrape of the metrics asks the rooms that `observe` may not know.

use std::sync::Arc;

use crate::control::Control;
use crate::observe::{BackendState, Sources, UpstreamState};
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
    Sources {
        backends: Box::new(move || backends.health().into_iter().map(state).collect()),
        reload: Box::new(move || control.reload_state()),
    }
}
