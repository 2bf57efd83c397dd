//! What answers a route, in one value and in words: what is compared, shown and recorded.

use serde::Serialize;

use crate::route::{Route, Serve};
use crate::store::RouteChange;

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// A backend, or `off`.
    pub serve: String,
    /// The backend being tried.
    pub candidate: String,
    /// The backend that is safe.
    pub fallback: String,
    /// The share of users served by the candidate, in buckets of 100,000.
    pub buckets: u32,
    /// Users who are always served by the candidate.
    pub users: Vec<String>,
}

impl Standing {
    /// Of a route.
    pub fn of(route: &Route) -> Self {
        Self {
            serve: serve_word(&route.serve).to_owned(),
            candidate: route.candidate.clone(),
            fallback: route.fallback.clone(),
            buckets: route.canary.as_ref().map_or(0, |canary| canary.buckets),
            users: route.canary.as_ref().map(|canary| canary.users.clone()).unwrap_or_default(),
        }
    }

    /// Whether a canary sends anybody to the candidate.
    pub fn has_canary(&self) -> bool {
        self.serve == self.fallback && (self.buckets > 0 || !self.users.is_empty())
    }

    /// Whether everybody is answered by the fallback.
    pub fn is_safe(&self) -> bool {
        self.serve == self.fallback && !self.has_canary()
    }

    /// `legacy`, `rust`, `off`, `legacy, 5% rust`, `legacy, 2 users rust`.
    pub fn words(&self) -> String {
        if !self.has_canary() {
            return self.serve.clone();
        }
        let mut shares = Vec::new();
        if self.buckets > 0 {
            shares.push(share(self.buckets));
        }
        match self.users.len() {
            0 => {}
            1 => shares.push("1 user".to_owned()),
            n => shares.push(format!("{n} users")),
        }
        format!("{}, {} {}", self.serve, shares.join(" and "), self.candidate)
    }

    /// The command that brings a route back to this.
    pub fn command(&self, route: &str) -> String {
        if self.has_canary() {
            format!("ficus flip {route} {} --canary {}", self.candidate, share(self.buckets))
        } else if self.is_safe() {
            format!("ficus rollback {route}")
        } else {
            format!("ficus flip {route} {}", self.serve)
        }
    }
}

/// Buckets of 100,000 as a percentage: `5%`, `0.125%`.
pub fn share(buckets: u32) -> String {
    format!("{}%", f64::from(buckets) / 1_000.0)
}

/// The word for who answers.
pub fn serve_word(serve: &Serve) -> &str {
    match serve {
        Serve::Backend(name) => name,
        Serve::Off => "off",
    }
}

/// A route as it is when everybody is answered by its fallback.
pub(super) fn rolled_back(route: &Route) -> Route {
    let mut route = route.clone();
    route.serve = Serve::Backend(route.fallback.clone());
    if let Some(canary) = &mut route.canary {
        canary.buckets = 0;
        canary.users.clear();
    }
    route
}

/// What differs between two tables, route by route, in file order.
pub(super) fn differences(before: &crate::route::Table, after: &crate::route::Table) -> Vec<RouteChange> {
    let words = |table: &crate::route::Table, name: &str| {
        table.route(name).map_or_else(|| "-".to_owned(), |route| Standing::of(route).words())
    };
    let mut names: Vec<&str> = after.routes().iter().map(|route| route.name.as_str()).collect();
    names.extend(
        before.routes().iter().map(|route| route.name.as_str()).filter(|name| after.route(name).is_none()),
    );
    let mut changes: Vec<RouteChange> = names
        .into_iter()
        .map(|name| RouteChange {
            route: name.to_owned(),
            before: words(before, name),
            after: words(after, name),
        })
        .filter(|change| change.before != change.after)
        .collect();
    let (old, new) = (serve_word(before.default_serve()), serve_word(after.default_serve()));
    if old != new {
        changes.push(RouteChange {
            route: DEFAULTS.to_owned(),
            before: old.to_owned(),
            after: new.to_owned(),
        });
    }
    changes
}

/// How the default backend is called where a route's name is expected.
pub(super) const DEFAULTS: &str = "[defaults]";

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(serve: &str, buckets: u32, users: &[&str]) -> Standing {
        Standing {
            serve: serve.to_owned(),
            candidate: "rust".to_owned(),
            fallback: "legacy".to_owned(),
            buckets,
            users: users.iter().map(|user| (*user).to_owned()).collect(),
        }
    }

    #[test]
    fn words_say_who_answers() {
        assert_eq!(standing("rust", 0, &[]).words(), "rust");
        assert_eq!(standing("legacy", 5_000, &[]).words(), "legacy, 5% rust");
        assert_eq!(standing("legacy", 125, &["7", "8"]).words(), "legacy, 0.125% and 2 users rust");
        assert_eq!(standing("rust", 5_000, &[]).words(), "rust", "a canary on a moved route has no effect");
    }

    #[test]
    fn the_undo_command_names_the_way_back() {
        assert_eq!(standing("rust", 0, &[]).command("a"), "ficus flip a rust");
        assert_eq!(standing("legacy", 5_000, &[]).command("a"), "ficus flip a rust --canary 5%");
        assert_eq!(standing("legacy", 0, &[]).command("a"), "ficus rollback a");
        assert_eq!(standing("off", 0, &[]).command("a"), "ficus flip a off");
    }
}
