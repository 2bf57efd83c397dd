//! Who answers this request: step 4 of a request (decide).
//!
//! Pure: no IO, no clock, no pingora. What happens when the chosen backend fails is not decided here but in
//! `gateway`; the backend that is safe comes along as `fallback`.

use crate::identity::Identity;
use crate::route::{Found, Route, Serve, Table};

/// Why a backend was chosen; a stable word for logs, metrics and `ficus explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No route matches; the default backend answers.
    Unmatched,
    /// The route says so.
    Route,
    /// The user is named in the route's canary.
    CanaryUser,
    /// The user's bucket is inside the route's canary.
    CanaryBucket,
    /// The route, or the default, is switched off.
    Off,
}

impl Reason {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Route => "route",
            Self::CanaryUser => "canary_user",
            Self::CanaryBucket => "canary_bucket",
            Self::Off => "off",
        }
    }
}

/// Who answers, who stands in, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision<'a> {
    /// The backend that answers; `None`: nobody, 503.
    pub backend: Option<&'a str>,
    /// The backend that answers if the first cannot; `None` if there is no other.
    pub fallback: Option<&'a str>,
    /// Why.
    pub reason: Reason,
    /// The user's bucket, when it was looked at.
    pub bucket: Option<u32>,
}

/// Whether the decision on `found` depends on who asks; if not, no identity needs to be computed.
pub fn needs_identity(found: &Found) -> bool {
    matches!(found, Found::Route(route) if canary_may_apply(route))
}

/// Decides who answers. Without an identity nobody is in a canary.
pub fn decide<'a>(table: &'a Table, found: &'a Found, identity: Option<&Identity>) -> Decision<'a> {
    let Found::Route(route) = found else {
        return match table.default_serve() {
            Serve::Backend(name) => decision(Some(name), None, Reason::Unmatched, None),
            Serve::Off => decision(None, None, Reason::Off, None),
        };
    };
    let Serve::Backend(served) = &route.serve else {
        return decision(None, None, Reason::Off, None);
    };
    let (backend, reason, bucket) = match canary(route, identity) {
        Some((Some(reason), bucket)) => (&route.candidate, reason, bucket),
        Some((None, bucket)) => (served, Reason::Route, bucket),
        None => (served, Reason::Route, None),
    };
    let fallback = (*backend != route.fallback).then_some(route.fallback.as_str());
    decision(Some(backend), fallback, reason, bucket)
}

fn decision<'a>(
    backend: Option<&'a String>,
    fallback: Option<&'a str>,
    reason: Reason,
    bucket: Option<u32>,
) -> Decision<'a> {
    Decision { backend: backend.map(String::as_str), fallback, reason, bucket }
}

/// A canary only ever moves users from the fallback to the candidate: never to where the route already is, and
/// never away from a third backend that someone chose on purpose.
fn canary_may_apply(route: &Route) -> bool {
    let served_by_fallback = matches!(&route.serve, Serve::Backend(name) if *name == route.fallback);
    served_by_fallback && route.canary.as_ref().is_some_and(|c| c.buckets > 0 || !c.users.is_empty())
}

/// Whether this identity is in the route's canary and by what; `None` if that was not asked.
fn canary(route: &Route, identity: Option<&Identity>) -> Option<(Option<Reason>, Option<u32>)> {
    let canary = route.canary.as_ref().filter(|_| canary_may_apply(route))?;
    let identity = identity?;
    let bucket = identity.bucket(&canary.group);
    let named = identity.user().is_some_and(|id| canary.users.iter().any(|user| user == id));
    let reason = match (named, bucket < canary.buckets) {
        (true, _) => Some(Reason::CanaryUser),
        (false, true) => Some(Reason::CanaryBucket),
        (false, false) => None,
    };
    Some((reason, Some(bucket)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    /// A table with one route, from the lines of its entry.
    fn table(lines: &str) -> Table {
        let text = format!("version = 1\n\n[[route]]\nname = \"item\"\nrule = \"/items/<int:id>\"\n{lines}");
        let context = Context::default();
        let (table, report) = read(&Source::new("routes.toml", text.as_str()), &context);
        table.unwrap_or_else(|| panic!("{report:?}"))
    }

    fn user(id: &str) -> Identity {
        Identity::User(id.to_owned())
    }

    /// Lines of the route, who asks -> backend, fallback, reason.
    #[track_caller]
    fn check(lines: &str, identity: Option<&Identity>, expected: (Option<&str>, Option<&str>, &str)) {
        let table = table(lines);
        let found = table.find("crm.example", "GET", "/items/7");
        let decision = decide(&table, &found, identity);
        assert_eq!((decision.backend, decision.fallback, decision.reason.word()), expected, "{lines}");
    }

    #[test]
    fn a_route_is_served_by_whom_it_says() {
        check("serve = \"legacy\"\n", None, (Some("legacy"), None, "route"));
        check("serve = \"rust\"\n", None, (Some("rust"), Some("legacy"), "route"));
        check("serve = \"legacy-next\"\n", None, (Some("legacy-next"), Some("legacy"), "route"));
        check("serve = \"off\"\n", None, (None, None, "off"));
    }

    #[test]
    fn a_canary_moves_users_from_the_fallback_to_the_candidate() {
        let all = "serve = \"legacy\"\ncanary = { percent = 100.0, group = \"g\" }\n";
        check(all, Some(&user("7")), (Some("rust"), Some("legacy"), "canary_bucket"));
        let named = "serve = \"legacy\"\ncanary = { percent = 0.0, users = [\"7\"], group = \"g\" }\n";
        check(named, Some(&user("7")), (Some("rust"), Some("legacy"), "canary_user"));
        check(named, Some(&user("8")), (Some("legacy"), None, "route"));
    }

    #[test]
    fn nobody_is_in_a_canary_unasked() {
        let all = "serve = \"legacy\"\ncanary = { percent = 100.0, group = \"g\" }\n";
        check(all, None, (Some("legacy"), None, "route"));
        let table = table(all);
        let found = table.find("crm.example", "GET", "/items/7");
        assert!(needs_identity(&found));
        assert_eq!(decide(&table, &found, None).bucket, None);
    }

    #[test]
    fn a_canary_never_moves_a_route_that_somebody_put_elsewhere() {
        for serve in ["rust", "legacy-next", "off"] {
            let lines = format!("serve = \"{serve}\"\ncanary = {{ percent = 100.0, group = \"g\" }}\n");
            let table = table(&lines);
            let found = table.find("crm.example", "GET", "/items/7");
            assert!(!needs_identity(&found), "{serve}");
            let decision = decide(&table, &found, Some(&user("7")));
            assert_eq!(decision.backend, (serve != "off").then_some(serve));
        }
    }

    #[test]
    fn what_no_route_matches_is_answered_by_the_default() {
        let table = Table::empty(Serve::Backend("legacy".into()));
        let decision = decide(&table, &Found::Unmatched, None);
        assert_eq!((decision.backend, decision.reason), (Some("legacy"), Reason::Unmatched));
        let table = Table::empty(Serve::Off);
        let decision = decide(&table, &Found::Unmatched, None);
        assert_eq!((decision.backend, decision.reason), (None, Reason::Off));
    }
}
