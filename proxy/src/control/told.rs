//! What the record of a recording says: its routes are answered as before, and written down. Nothing of it is in the routing file.

use chrono::{DateTime, Utc};

use super::Running;
use super::standing::Standing;
use crate::store::{Action, RouteChange};

/// What the record of a recording says of its routes.
pub(super) fn told(running: &Running, routes: &[String], until: Option<DateTime<Utc>>) -> Vec<RouteChange> {
    let table = running.effective();
    let words =
        |route: &str| table.route(route).map_or_else(|| "-".to_owned(), |route| Standing::of(route).words());
    let change = |route: &String| {
        let (standing, until) = (words(route), until.map(|at| at.format("%F %T UTC")));
        let recorded = format!("{standing}, recorded");
        match until {
            Some(until) => RouteChange {
                route: route.clone(),
                before: standing,
                after: format!("{recorded} until {until}"),
            },
            None => RouteChange { route: route.clone(), before: recorded, after: standing },
        }
    };
    routes.iter().map(change).collect()
}

/// Why a change cannot be taken back that the routing file knows nothing of.
pub(super) fn not_in_the_file(action: Action) -> &'static str {
    if action == Action::Record {
        "it did not change the routing file; `ficus record stop` ends a recording"
    } else {
        "it did not change the routing file; `ficus resume` ends what lies over it"
    }
}
