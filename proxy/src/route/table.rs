//! The immutable table: which route Flask itself would have chosen.

use std::sync::Arc;

use super::{Route, Serve};

/// All routes, ready for matching.
#[derive(Debug)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    default_serve: Serve,
}

/// What a request matched.
#[derive(Debug, Clone)]
pub enum Found {
    /// This route.
    Route(Arc<Route>),
    /// No route, or one that would answer 404, 405 or a redirect by itself: the default backend decides.
    Unmatched,
}

impl Table {
    /// A table without routes: everything is answered by `default_serve`.
    pub fn empty(default_serve: Serve) -> Self {
        Self { routes: Vec::new(), default_serve }
    }

    /// The route for a request: Host header, method and the raw path (percent-encoded, without query).
    pub fn find(&self, _host: &str, _method: &str, _path: &str) -> Found {
        Found::Unmatched
    }

    /// Every route, in file order.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Who answers what no route matches.
    pub fn default_serve(&self) -> &Serve {
        &self.default_serve
    }
}
