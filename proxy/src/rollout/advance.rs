//! Plans that advance by themselves: looks at every route now and then, and takes at most one step of it at a look.
//!
//! An advance is a change like anybody else's, by the author `plan`, with its evidence as the reason. Time at a step is kept here
//! too, by the clock that does not jump.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;

use super::facts::{Gates, NotPromoted, Wish};

/// Who makes these changes.
pub(super) const AUTHOR: &str = "plan";

/// How often to look.
const LOOK: Duration = Duration::from_secs(1);
/// How often times are written.
const WRITE: Duration = Duration::from_secs(5);

/// Looks until the process ends.
pub async fn advance(gates: Arc<Gates>) {
    let mut looked = Instant::now();
    let mut written: Option<Instant> = None;
    let mut complaints: HashMap<String, String> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Instant::now();
        let passed = now - std::mem::replace(&mut looked, now);
        let gates = Arc::clone(&gates);
        let said = std::mem::take(&mut complaints);
        let due = written.is_none_or(|at| at.elapsed() >= WRITE);
        let look = tokio::task::spawn_blocking(move || {
            let changed = gates.pass(passed);
            if changed || due {
                gates.write_times();
            }
            (gates.advance_all(said), changed || due)
        });
        // A look that panicked has said so; the next one begins anew.
        let (said, wrote) = look.await.unwrap_or_default();
        complaints = said;
        if wrote {
            written = Some(Instant::now());
        }
    }
}

impl Gates {
    fn pass(&self, time: Duration) -> bool {
        self.soaks.pass(&self.control.live().load().table, time)
    }

    fn write_times(&self) {
        if let Err(error) = self.soaks.save() {
            tracing::debug!(%error, "the times that routes have been at their steps cannot be written");
        }
    }

    /// One look at every route with a plan of its own; what went wrong is said once.
    fn advance_all(&self, mut said: HashMap<String, String>) -> HashMap<String, String> {
        let routing = self.control.live().load();
        let allowed = |plan: &crate::route::Plan| {
            plan.auto && plan.hours.as_ref().is_none_or(|hours| hours.allow(Utc::now()))
        };
        for route in routing.table.routes() {
            if !route.plan.as_ref().is_some_and(allowed) {
                continue;
            }
            let wish = Wish {
                route: route.name.clone(),
                author: AUTHOR.to_owned(),
                reason: None,
                based_on: None,
                skip_gates: false,
            };
            match self.promote(&wish) {
                Ok(applied) => {
                    tracing::info!(route = route.name, revision = applied.revision, "the plan took a step");
                    said.remove(&route.name);
                }
                // What is not ready yet is no trouble.
                Err(NotPromoted::Gate(_) | NotPromoted::NoStep(_)) => drop(said.remove(&route.name)),
                Err(error) => {
                    let error = error.to_string();
                    if said.get(&route.name) != Some(&error) {
                        tracing::warn!(route = route.name, error, "the plan cannot take a step");
                        said.insert(route.name.clone(), error);
                    }
                }
            }
        }
        said
    }
}
