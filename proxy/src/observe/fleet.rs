//! The fleet's numbers, from what this node knows of it when somebody scrapes. A node that is alone shows none of them.

use super::metrics::{Metrics, StateLabel};
use super::sources::FleetState;

impl Metrics {
    /// Shows this.
    pub(super) fn show_fleet(&self, fleet: &FleetState) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        for (state, nodes) in [("live", fleet.live), ("gone", fleet.gone)] {
            self.fleet_nodes.get_or_create(&StateLabel { state }).set(count(nodes));
        }
        self.fleet_nodes_behind.get_or_create(&[]).set(count(fleet.behind));
        self.fleet_revisions_behind.get_or_create(&[]).set(number(fleet.revisions_behind));
        self.fleet_cut_off.get_or_create(&[]).set(i64::from(fleet.cut_off));
        if let Some(at) = fleet.last_contact {
            self.fleet_last_contact.get_or_create(&[]).set(at.timestamp_millis() as f64 / 1_000.0);
        }
        self.fleet_unshared.get_or_create(&[]).set(number(fleet.unshared));
        self.fleet_unconfirmed.get_or_create(&[]).set(count(fleet.waiting));
    }
}
