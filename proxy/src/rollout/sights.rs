//! What guards see, for those who ask: gates. Written by `watch` after each request of a guarded route.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::gate::Served;
use super::steps::Stage;
use crate::route::Route;

/// What was seen of each guarded route since it came to the step where it is.
#[derive(Debug, Default)]
pub struct Sights(Mutex<HashMap<String, (Stage, Served)>>);

impl Sights {
    pub(super) fn saw(&self, route: &Route, served: Served) {
        let mut sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match sights.get_mut(&route.name) {
            Some(sight) => *sight = (Stage::of(route), served),
            None => drop(sights.insert(route.name.clone(), (Stage::of(route), served))),
        }
    }

    /// What was seen of a route at the step where it is; absent: nothing yet.
    pub(super) fn of(&self, route: &Route) -> Option<Served> {
        let sights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sights.get(&route.name).filter(|(stage, _)| *stage == Stage::of(route)).map(|(_, served)| *served)
    }
}
