//! What must be true of a fleet, whatever happened: kept beside the nodes, from nothing but what they acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::{NODES, ROUTES};

/// What is known of a route that was rolled back, and not resumed since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Back {
    /// Somebody's rollback is in the store.
    shared: bool,
    /// Nodes on which somebody rolled it back while nobody else could hear of it.
    alone: BTreeSet<usize>,
    /// Nodes that know of one of these.
    aware: BTreeSet<usize>,
}

/// What must be true.
#[derive(Debug, Default)]
pub(super) struct Model {
    back: BTreeMap<&'static str, Back>,
}

impl Model {
    /// A node said that it rolled a route back; `alone`: that nobody else has heard of it.
    pub(super) fn rolled_back(&mut self, route: &'static str, node: usize, alone: bool) {
        let back = self.back.entry(route).or_default();
        back.aware.insert(node);
        if alone {
            back.alone.insert(node);
        } else {
            back.shared = true;
        }
    }

    /// A node runs a revision in which the route is rolled back: it was named as one that has confirmed.
    pub(super) fn confirmed(&mut self, route: &'static str, node: usize) {
        self.back.entry(route).or_default().aware.insert(node);
    }

    /// A person may have resumed the route for the whole fleet. Nodes that are `apart` for certain have not been heard, so
    /// what was rolled back there still counts.
    pub(super) fn resumed(&mut self, route: &'static str, apart: impl Fn(usize) -> bool) {
        let Some(back) = self.back.get_mut(route) else { return };
        back.shared = false;
        back.alone.retain(|node| apart(*node));
        back.aware = back.alone.clone();
    }

    /// All have been brought together: all know everything.
    pub(super) fn met(&mut self) {
        self.back.retain(|_, back| back.shared || !back.alone.is_empty());
        for back in self.back.values_mut() {
            *back = Back { shared: true, alone: BTreeSet::new(), aware: (0..NODES).collect() };
        }
    }

    /// Routes that a node must not send to a candidate.
    pub(super) fn safe_on(&self, node: usize) -> Vec<&'static str> {
        let aware = |route: &&str| self.back.get(route).is_some_and(|back| back.aware.contains(&node));
        ROUTES.into_iter().filter(aware).collect()
    }
}

#[test]
fn what_was_rolled_back_alone_outlives_a_resume_that_did_not_hear_of_it() {
    let mut model = Model::default();
    model.rolled_back("a", 0, true);
    model.rolled_back("a", 1, false);
    assert_eq!((model.safe_on(0), model.safe_on(1), model.safe_on(2)), (vec!["a"], vec!["a"], vec![]));
    model.resumed("a", |node| node == 0);
    assert_eq!((model.safe_on(0), model.safe_on(1)), (vec!["a"], vec![]));
    model.met();
    assert_eq!(model.safe_on(2), ["a"]);
    model.resumed("a", |_| false);
    model.met();
    assert!((0..NODES).all(|node| model.safe_on(node).is_empty()));
}
