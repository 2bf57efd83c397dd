//! The immutable table: which route Flask itself would have chosen.

use std::collections::BTreeSet;
use std::sync::Arc;

use flask_compat::routing::{Map, Match};

use super::entry::ANY;
use super::{Defaults, Route, Serve};

/// All routes, ready for matching.
#[derive(Debug, Clone)]
pub struct Table {
    routes: Vec<Arc<Route>>,
    /// For every rule of the map: the routes that share it.
    parts: Arc<Vec<Vec<usize>>>,
    map: Option<Arc<Map>>,
    defaults: Defaults,
    /// Groups of which at least one route has an active canary.
    active_groups: Arc<BTreeSet<String>>,
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
    pub(super) fn new(routes: Vec<Arc<Route>>, parts: Vec<Vec<usize>>, map: Map, defaults: Defaults) -> Self {
        let active_groups = active_groups(&routes);
        Self { routes, parts: Arc::new(parts), map: Some(Arc::new(map)), defaults, active_groups }
    }

    /// A table without routes: everything is answered by `default_serve`.
    pub fn empty(default_serve: Serve) -> Self {
        let defaults = Defaults { serve: default_serve, ..Defaults::default() };
        let active_groups = Arc::default();
        Self { routes: Vec::new(), parts: Arc::default(), map: None, defaults, active_groups }
    }

    /// The route for a request: Host header, method and the raw path (percent-encoded, without query).
    pub fn find(&self, host: &str, method: &str, path: &str) -> Found {
        let Some(map) = &self.map else {
            return Found::Unmatched;
        };
        match map.find(host, method, path) {
            Match::Rule(matched) => match self.part(matched.index(), method) {
                Some(route) => Found::Route(Arc::clone(route)),
                None => Found::Unmatched,
            },
            _ => Found::Unmatched,
        }
    }

    /// Why no route is found, in a sentence; `None` if one is.
    pub fn unmatched_because(&self, host: &str, method: &str, path: &str) -> Option<String> {
        let Some(map) = &self.map else {
            return Some("there are no routes".to_owned());
        };
        Some(match map.find(host, method, path) {
            Match::Rule(_) => return None,
            Match::Redirect(redirect) => format!("Flask redirects this path to {}", redirect.location),
            Match::MethodNotAllowed { allow } => {
                format!("routes fit the path, but only for {}", allow.join(", "))
            }
            Match::NotFound => "no route fits the path".to_owned(),
            Match::BadHost if !host.is_ascii() => {
                "the host is not ASCII, which only Flask encodes".to_owned()
            }
            Match::BadHost => "Flask does not take this host".to_owned(),
            Match::WebsocketMismatch => "Flask takes this path for WebSockets only".to_owned(),
            Match::ServerError { reason, .. } => format!("Flask's own matching fails: {reason}"),
        })
    }

    /// Of the routes that share a rule, the one for this method: the one that names it; HEAD belongs to GET; what is left,
    /// to the one for any method; Flask's automatic OPTIONS to GET or else to the first.
    fn part(&self, rule: usize, method: &str) -> Option<&Arc<Route>> {
        let parts = self.parts.get(rule)?;
        let named = |method: &str| {
            parts.iter().map(|part| &self.routes[*part]).find(|route| match &route.methods {
                Some(methods) => methods.iter().any(|m| m == method),
                None => method == "GET",
            })
        };
        let head = || if method == "HEAD" { named("GET") } else { None };
        let options = || if method == "OPTIONS" { named("GET") } else { None };
        let rest = || named(ANY);
        named(method)
            .or_else(head)
            .or_else(rest)
            .or_else(options)
            .or_else(|| parts.first().map(|part| &self.routes[*part]))
    }

    /// Whether some route of a canary group sends somebody to its candidate.
    pub fn group_is_active(&self, group: &str) -> bool {
        self.active_groups.contains(group)
    }

    /// The map behind the table; an empty table has none.
    pub fn map(&self) -> Option<&Map> {
        self.map.as_deref()
    }

    /// Every route, in file order.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// The route of this name.
    pub fn route(&self, name: &str) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// Who answers what no route matches.
    pub fn default_serve(&self) -> &Serve {
        &self.defaults.serve
    }

    /// What routes inherit.
    pub fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// The same rules with other answers: `change` may give a route's replacement, `serve` the default's.
    #[must_use]
    pub fn changed(&self, serve: Option<Serve>, change: impl Fn(&Route) -> Option<Route>) -> Self {
        let mut table = self.clone();
        for route in &mut table.routes {
            if let Some(changed) = change(route) {
                *route = Arc::new(changed);
            }
        }
        if let Some(serve) = serve {
            table.defaults.serve = serve;
        }
        table.active_groups = active_groups(&table.routes);
        table
    }
}

fn active_groups(routes: &[Arc<Route>]) -> Arc<BTreeSet<String>> {
    Arc::new(routes.iter().filter_map(|route| Some(route.active_canary()?.group.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    fn table(routes: &str) -> Table {
        let text = format!("version = 1\n{routes}");
        let (table, report) = read(&Source::new("routes.toml", text), &Context::default());
        table.unwrap_or_else(|| panic!("{}", report.render(false)))
    }

    fn found(table: &Table, method: &str, path: &str) -> String {
        match table.find("localhost", method, path) {
            Found::Route(route) => route.name.clone(),
            Found::Unmatched => "-".to_owned(),
        }
    }

    #[test]
    fn a_request_is_given_to_the_route_that_flask_would_choose() {
        let table = table(
            r#"
            [[route]]
            name = "customers.detail"
            rule = "/customers/<int:customer_id>"
            [[route]]
            name = "customers.any"
            rule = "/customers/<name>"
            [[route]]
            name = "customers.list"
            rules = ["/customers/", "/all"]
            "#,
        );
        let cases = [
            ("GET", "/customers/7", "customers.detail"),
            ("HEAD", "/customers/7", "customers.detail"),
            ("OPTIONS", "/customers/7", "customers.detail"),
            ("GET", "/customers/ana", "customers.any"),
            ("GET", "/customers/", "customers.list"),
            ("GET", "/all", "customers.list"),
            ("GET", "/customers", "-"),
            ("POST", "/customers/7", "-"),
            ("GET", "/customers/7/", "-"),
            ("GET", "/", "-"),
        ];
        for (method, path, name) in cases {
            assert_eq!(found(&table, method, path), name, "{method} {path}");
        }
    }

    #[test]
    fn parts_of_one_rule_are_told_apart_by_method() {
        let table = table(
            r#"
            [[route]]
            name = "customers.edit"
            rule = "/customers/<int:id>/edit"
            [[route]]
            name = "customers.edit.post"
            endpoint = "customers.edit"
            rule = "/customers/<int:id>/edit"
            methods = ["POST"]
            [[route]]
            name = "hook"
            rule = "/hook"
            methods = ["POST"]
            "#,
        );
        let cases = [
            ("GET", "/customers/7/edit", "customers.edit"),
            ("HEAD", "/customers/7/edit", "customers.edit"),
            ("OPTIONS", "/customers/7/edit", "customers.edit"),
            ("POST", "/customers/7/edit", "customers.edit.post"),
            ("PUT", "/customers/7/edit", "-"),
            ("OPTIONS", "/hook", "hook"),
            ("GET", "/hook", "-"),
        ];
        for (method, path, name) in cases {
            assert_eq!(found(&table, method, path), name, "{method} {path}");
        }
    }

    #[test]
    fn hosts_that_no_browser_sends_are_warned_of_and_left_to_flask() {
        let text = "version = 1\n[map]\nhost_matching = true\nserver_name = \"b\u{fc}cher.example\"\n[[route]]\n\
            name = \"shop\"\nrule = \"/\"\nhost = \"b\u{fc}cher.example\"\n";
        let (table, report) = read(&Source::new("routes.toml", text.to_owned()), &Context::default());
        assert_eq!(report.render(false).matches("no browser asks for the host").count(), 2);
        let because = table.unwrap().unmatched_because("b\u{fc}cher.example", "GET", "/");
        assert_eq!(because.as_deref(), Some("the host is not ASCII, which only Flask encodes"));
    }

    #[test]
    fn rules_for_any_method_and_without_automatic_options() {
        let table = table(
            r#"
            [[route]]
            name = "any"
            rule = "/any"
            methods = ["*"]
            [[route]]
            name = "any.get"
            endpoint = "any"
            rule = "/any"
            [[route]]
            name = "all"
            rule = "/all/<path:rest>"
            methods = ["*"]
            [[route]]
            name = "quiet"
            rule = "/quiet"
            provide_automatic_options = false
            [[route]]
            name = "own"
            rule = "/own"
            methods = ["GET", "OPTIONS"]
            "#,
        );
        let cases = [
            ("GET", "/any", "any.get"),
            ("HEAD", "/any", "any.get"),
            ("OPTIONS", "/any", "any"),
            ("PURGE", "/any", "any"),
            ("POST", "/all/x/y", "all"),
            ("OPTIONS", "/all/x", "all"),
            ("get", "/all/x", "all"),
            ("GET", "/quiet", "quiet"),
            ("HEAD", "/quiet", "quiet"),
            ("OPTIONS", "/quiet", "-"),
            ("OPTIONS", "/own", "own"),
        ];
        for (method, path, name) in cases {
            assert_eq!(found(&table, method, path), name, "{method} {path}");
        }
    }

    #[test]
    fn own_converters_hosts_and_defaults_work() {
        let table = table(
            r#"
            [map]
            host_matching = true
            [converters]
            sku = "[A-Z]{3}[0-9]+"
            [[route]]
            name = "shop"
            rule = "/items/<sku:item>"
            host = "shop.example.com"
            [[route]]
            name = "pages"
            rule = "/pages"
            host = "www.example.com"
            defaults = { page = 1 }
            "#,
        );
        let name = |host, path| match table.find(host, "GET", path) {
            Found::Route(route) => route.name.clone(),
            Found::Unmatched => "-".to_owned(),
        };
        assert_eq!(name("shop.example.com", "/items/ABC12"), "shop");
        assert_eq!(name("shop.example.com", "/items/abc"), "-");
        assert_eq!(name("www.example.com", "/items/ABC12"), "-");
        assert_eq!(name("www.example.com", "/pages"), "pages");
    }
}
