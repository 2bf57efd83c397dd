//! What the record of a recording says: its routes are answered as before, and written down. Nothing of it is in the routing file.

use chrono::{DateTime, Utc};

use crate::store::{Action, RouteChange};

/// What the record of a recording says of its routes: the same before and after, for they are where they were.
pub(super) fn told(routes: &[String], until: Option<DateTime<Utc>>) -> Vec<RouteChange> {
    let words = until.map_or_else(
        || "recording ended".to_owned(),
        |until| format!("recording until {}", until.format("%F %T UTC")),
    );
    let change =
        |route: &String| RouteChange { route: route.clone(), before: words.clone(), after: words.clone() };
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
