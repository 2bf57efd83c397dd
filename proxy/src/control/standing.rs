//! What answers a route, in one value and in words: what is compared, shown and recorded.

use serde::{Deserialize, Serialize};

use crate::diagnostic::Network;
use crate::route::{Canary, Route, Serve, Table};
use crate::store::RouteChange;

/// What answers a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Roles whose users are always served by the candidate.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Networks whose clients are always served by the candidate.
    #[serde(default)]
    pub networks: Vec<Network>,
    /// Testers may choose the candidate.
    #[serde(default)]
    pub testers: bool,
    /// Seed of the hash.
    #[serde(default)]
    pub group: String,
}

impl Standing {
    /// Of a route.
    pub fn of(route: &Route) -> Self {
        let canary = route.canary.clone().unwrap_or_else(|| no_canary(route));
        Self {
            serve: serve_word(&route.serve).to_owned(),
            candidate: route.candidate.clone(),
            fallback: route.fallback.clone(),
            buckets: canary.buckets,
            users: canary.users,
            roles: canary.roles,
            networks: canary.networks,
            testers: canary.testers,
            group: canary.group,
        }
    }

    /// Whether the canary names anybody, in effect or not.
    fn names_anybody(&self) -> bool {
        self.buckets > 0
            || self.testers
            || !(self.users.is_empty() && self.roles.is_empty() && self.networks.is_empty())
    }

    /// Whether a canary sends anybody to the candidate.
    pub fn has_canary(&self) -> bool {
        self.serve == self.fallback && self.names_anybody()
    }

    /// Whether everybody is answered by the fallback.
    pub fn is_safe(&self) -> bool {
        self.serve == self.fallback && !self.has_canary()
    }

    /// Whether anybody who was answered by the fallback (or by nobody) before is now answered by another backend.
    pub fn sends_more_than(&self, before: &Self) -> bool {
        if self.is_safe() || self.serve == "off" {
            return false;
        }
        if !self.has_canary() {
            return before.serve != self.serve;
        }
        if before.serve == self.candidate {
            return false;
        }
        let within = |new: &[String], old: &[String]| new.iter().all(|item| old.contains(item));
        !(before.has_canary()
            && before.candidate == self.candidate
            && (before.group == self.group || self.buckets == 0)
            && self.buckets <= before.buckets
            && within(&self.users, &before.users)
            && within(&self.roles, &before.roles)
            && self.networks.iter().all(|network| before.networks.contains(network))
            && (before.testers || !self.testers))
    }

    /// `legacy`, `rust`, `off`, `legacy, 5% rust`, `legacy, 2 users and testers rust`.
    pub fn words(&self) -> String {
        if !self.has_canary() {
            return self.serve.clone();
        }
        let mut parts = Vec::new();
        if self.buckets > 0 {
            parts.push(share(self.buckets));
        }
        let lists =
            [("user", self.users.len()), ("role", self.roles.len()), ("network", self.networks.len())];
        for (what, count) in lists {
            match count {
                0 => {}
                1 => parts.push(format!("1 {what}")),
                n => parts.push(format!("{n} {what}s")),
            }
        }
        if self.testers {
            parts.push("testers".to_owned());
        }
        let last = parts.pop().unwrap_or_default();
        let who = if parts.is_empty() { last } else { format!("{} and {last}", parts.join(", ")) };
        format!("{}, {who} {}", self.serve, self.candidate)
    }

    /// A route of the file as it is when this is laid over it. Which backend is safe is always for the file to say.
    pub(super) fn laid_over(&self, route: &Route) -> Route {
        let mut route = route.clone();
        let serve = if self.serve == self.fallback { &route.fallback } else { &self.serve };
        route.serve = if serve == "off" { Serve::Off } else { Serve::Backend(serve.clone()) };
        route.candidate.clone_from(&self.candidate);
        let written = route.canary.take().unwrap_or_else(|| no_canary(&route));
        route.canary = Some(Canary {
            buckets: self.buckets,
            users: self.users.clone(),
            roles: self.roles.clone(),
            networks: self.networks.clone(),
            testers: self.testers,
            group: self.group.clone(),
            pin: written.pin,
        });
        route
    }
}

/// The canary of a route that has none: nobody, and the seed that it would have.
fn no_canary(route: &Route) -> Canary {
    Canary { group: route.name.clone(), ..Canary::default() }
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
        canary.clear();
    }
    route
}

/// What differs between two tables, route by route, in file order.
pub(super) fn differences(before: &Table, after: &Table) -> Vec<RouteChange> {
    let of = |table: &Table, name: &str| table.route(name).map(|route| Standing::of(route));
    let words = |standing: Option<&Standing>| standing.map_or_else(|| "-".to_owned(), Standing::words);
    let mut names: Vec<&str> = after.routes().iter().map(|route| route.name.as_str()).collect();
    names.extend(
        before.routes().iter().map(|route| route.name.as_str()).filter(|name| after.route(name).is_none()),
    );
    let mut changes = Vec::new();
    for name in names {
        let (old, new) = (of(before, name), of(after, name));
        let (before, mut after) = (words(old.as_ref()), words(new.as_ref()));
        let others = before == after && old.zip(new).is_some_and(|(old, new)| differ(&old, &new));
        if others {
            after.push_str(" (others)");
        }
        if before != after {
            changes.push(RouteChange { route: name.to_owned(), before, after });
        }
    }
    changes.extend(after.routes().iter().filter_map(|route| {
        let old = before.route(&route.name)?;
        let words = super::shadow::words;
        let (one, other) = (words(old.shadow.as_ref()), words(route.shadow.as_ref()));
        let differs = old.shadow != route.shadow;
        differs.then(|| RouteChange { route: route.name.clone(), before: one, after: other })
    }));
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

/// Whether two canaries of the same words are for different people.
fn differ(old: &Standing, new: &Standing) -> bool {
    old.has_canary() && new.has_canary() && old != new
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
            roles: Vec::new(),
            networks: Vec::new(),
            testers: false,
            group: "g".to_owned(),
        }
    }

    #[test]
    fn words_say_who_answers() {
        assert_eq!(standing("rust", 0, &[]).words(), "rust");
        assert_eq!(standing("legacy", 5_000, &[]).words(), "legacy, 5% rust");
        assert_eq!(standing("legacy", 125, &["7", "8"]).words(), "legacy, 0.125% and 2 users rust");
        assert_eq!(standing("rust", 5_000, &[]).words(), "rust", "a canary on a moved route has no effect");
        let many = Standing { roles: vec!["admin".into()], testers: true, ..standing("legacy", 0, &["7"]) };
        assert_eq!(many.words(), "legacy, 1 user, 1 role and testers rust");
    }

    #[test]
    fn more_is_whoever_leaves_the_fallback() {
        let roles = |standing: Standing| Standing { roles: vec!["admin".into()], ..standing };
        let other_group = |standing: Standing| Standing { group: "h".into(), ..standing };
        let cases = [
            (standing("legacy", 0, &[]), standing("rust", 0, &[]), true),
            (standing("rust", 0, &[]), standing("legacy", 0, &[]), false),
            (standing("legacy", 0, &[]), standing("legacy", 1, &[]), true),
            (standing("legacy", 5_000, &[]), standing("legacy", 1_000, &[]), false),
            (standing("legacy", 5_000, &[]), standing("legacy", 5_001, &[]), true),
            (standing("legacy", 5_000, &["7"]), standing("legacy", 5_000, &[]), false),
            (standing("legacy", 5_000, &["7"]), standing("legacy", 1_000, &["8"]), true),
            (standing("legacy", 5_000, &[]), roles(standing("legacy", 5_000, &[])), true),
            (standing("legacy", 5_000, &[]), other_group(standing("legacy", 5_000, &[])), true),
            (standing("legacy", 0, &["7"]), other_group(standing("legacy", 0, &["7"])), false),
            (standing("rust", 0, &[]), standing("legacy", 5_000, &[]), false),
            (standing("legacy", 5_000, &[]), standing("rust", 0, &[]), true),
            (standing("off", 0, &[]), standing("rust", 0, &[]), true),
            (standing("off", 0, &[]), standing("legacy", 0, &[]), false),
            (standing("rust", 0, &[]), standing("off", 0, &[]), false),
            (standing("rust", 0, &[]), standing("legacy-next", 0, &[]), true),
            (standing("rust", 0, &[]), standing("rust", 0, &[]), false),
        ];
        for (before, after, expected) in cases {
            let said = after.sends_more_than(&before);
            assert_eq!(said, expected, "{} -> {}", before.words(), after.words());
        }
    }
}
