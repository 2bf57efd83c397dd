//! Who answers this request: step 4 of a request (decide).
//!
//! Pure: no IO, no clock, no pingora. What happens when the chosen backend fails is not decided here but in
//! `gateway`; the backend that is safe comes along as `fallback`.

use crate::identity::{Asker, Side};
use crate::route::{Canary, Found, Route, Serve, Table};

/// Why a backend was chosen; a stable word for logs, metrics and `ficus explain`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No route matches; the default backend answers.
    Unmatched,
    /// The route says so.
    Route,
    /// A tester chose this side.
    Tester,
    /// This side answered a write of the user a moment ago.
    Pinned,
    /// The user is named in the route's canary.
    CanaryUser,
    /// A role of the user is named in the route's canary.
    CanaryRole,
    /// The client's network is named in the route's canary.
    CanaryNetwork,
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
            Self::Tester => "tester",
            Self::Pinned => "pinned",
            Self::CanaryUser => "canary_user",
            Self::CanaryRole => "canary_role",
            Self::CanaryNetwork => "canary_network",
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

/// The canary on which the decision depends; without one, nobody needs to know who asks.
pub fn canary_of(found: &Found) -> Option<(&Route, &Canary)> {
    match found {
        Found::Route(route) => route.active_canary().map(|canary| (route.as_ref(), canary)),
        Found::Unmatched => None,
    }
}

/// After a write on this route, the group whose reads must stay on the side that answered it, and for how many seconds.
/// Only where some route of the group sends somebody to its candidate.
pub fn pin_of<'a>(table: &Table, route: &'a Route) -> Option<(&'a str, i64)> {
    let canary = route.canary.as_ref().filter(|canary| table.group_is_active(&canary.group))?;
    Some((canary.group.as_str(), i64::try_from(canary.pin?.as_secs()).ok()?.max(1)))
}

/// Decides who answers. Without somebody who asks nobody is in a canary. A route without an active canary is served as it
/// says, whatever cookies and tokens say: that is what a rollback relies on.
pub fn decide<'a>(table: &'a Table, found: &'a Found, asker: Option<&Asker>) -> Decision<'a> {
    let Found::Route(route) = found else {
        return match table.default_serve() {
            Serve::Backend(name) => decision(Some(name), None, Reason::Unmatched, None),
            Serve::Off => decision(None, None, Reason::Off, None),
        };
    };
    let Serve::Backend(served) = &route.serve else {
        return decision(None, None, Reason::Off, None);
    };
    let (backend, reason, bucket) = match (route.active_canary(), asker) {
        (Some(canary), Some(asker)) => {
            let bucket = asker.identity.bucket(&canary.group);
            let (side, reason) = side(canary, asker, bucket);
            let backend = if side == Side::Candidate { &route.candidate } else { served };
            (backend, reason, Some(bucket))
        }
        _ => (served, Reason::Route, None),
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

/// The side of a canary: what a tester chose, where a write went, then the lists, then the share.
fn side(canary: &Canary, asker: &Asker, bucket: u32) -> (Side, Reason) {
    if let Some(side) = asker.chosen {
        return (side, Reason::Tester);
    }
    if let Some(side) = asker.pinned {
        return (side, Reason::Pinned);
    }
    let named = asker.identity.user().is_some_and(|id| canary.users.iter().any(|user| user == id));
    let role = canary.roles.iter().any(|role| asker.roles.contains(role));
    let network = || {
        asker.address.is_some_and(|address| canary.networks.iter().any(|network| network.contains(address)))
    };
    let reason = match (named, role) {
        (true, _) => Reason::CanaryUser,
        (false, true) => Reason::CanaryRole,
        _ if network() => Reason::CanaryNetwork,
        _ if bucket < canary.buckets => Reason::CanaryBucket,
        _ => return (Side::Fallback, Reason::Route),
    };
    (Side::Candidate, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::identity::Identity;
    use crate::route::{Context, read};

    /// A table with one route, from the lines of its entry.
    fn table(lines: &str) -> Table {
        let text = format!("version = 1\n\n[[route]]\nname = \"item\"\nrule = \"/items/<int:id>\"\n{lines}");
        let context = Context::default();
        let (table, report) = read(&Source::new("routes.toml", text.as_str()), &context);
        table.unwrap_or_else(|| panic!("{report:?}"))
    }

    fn user(id: &str) -> Asker {
        Asker::new(Identity::User(id.to_owned()))
    }

    /// Lines of the route, who asks -> backend, fallback, reason.
    #[track_caller]
    fn check(lines: &str, asker: Option<&Asker>, expected: (Option<&str>, Option<&str>, &str)) {
        let table = table(lines);
        let found = table.find("crm.example", "GET", "/items/7");
        let decision = decide(&table, &found, asker);
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
    fn roles_and_networks_are_in_by_name() {
        let roles = "serve = \"legacy\"\ncanary = { roles = [\"admin\"] }\n";
        let admin = Asker { roles: vec!["rep".into(), "admin".into()], ..user("1") };
        check(roles, Some(&admin), (Some("rust"), Some("legacy"), "canary_role"));
        check(roles, Some(&user("1")), (Some("legacy"), None, "route"));
        let networks = "serve = \"legacy\"\ncanary = { networks = [\"192.0.2.0/24\"] }\n";
        let inside = Asker { address: Some("192.0.2.9".parse().unwrap()), ..user("1") };
        let outside = Asker { address: Some("198.51.100.9".parse().unwrap()), ..user("1") };
        check(networks, Some(&inside), (Some("rust"), Some("legacy"), "canary_network"));
        check(networks, Some(&outside), (Some("legacy"), None, "route"));
    }

    #[test]
    fn testers_choose_and_writes_pin_while_there_is_a_canary() {
        let chosen = |side| Asker { chosen: Some(side), ..user("7") };
        let pinned = |side| Asker { pinned: Some(side), ..user("7") };
        let testers = "serve = \"legacy\"\ncanary = { testers = true }\n";
        check(testers, Some(&chosen(Side::Candidate)), (Some("rust"), Some("legacy"), "tester"));
        check(testers, Some(&user("7")), (Some("legacy"), None, "route"));
        let all = "serve = \"legacy\"\ncanary = { percent = 100.0, users = [\"7\"] }\n";
        check(all, Some(&chosen(Side::Fallback)), (Some("legacy"), None, "tester"));
        check(all, Some(&pinned(Side::Fallback)), (Some("legacy"), None, "pinned"));
        let few = "serve = \"legacy\"\ncanary = { percent = 0.001 }\n";
        check(few, Some(&pinned(Side::Candidate)), (Some("rust"), Some("legacy"), "pinned"));
    }

    #[test]
    fn a_rollback_ignores_every_pin_and_every_choice() {
        let rolled_back = "serve = \"legacy\"\ncanary = { percent = 0.0, users = [], group = \"g\" }\n";
        let insisting = Asker { chosen: Some(Side::Candidate), pinned: Some(Side::Candidate), ..user("7") };
        check(rolled_back, Some(&insisting), (Some("legacy"), None, "route"));
        check("serve = \"legacy\"\n", Some(&insisting), (Some("legacy"), None, "route"));
    }

    #[test]
    fn a_write_pins_where_its_group_has_a_canary() {
        let pin = |lines: &str| {
            let table = table(lines);
            pin_of(&table, &table.routes()[0].clone()).map(|(group, seconds)| (group.to_owned(), seconds))
        };
        assert_eq!(pin("canary = { percent = 5, group = \"g\" }\n"), Some(("g".to_owned(), 10)));
        assert_eq!(
            pin("canary = { percent = 5, group = \"g\", pin = \"1m\" }\n"),
            Some(("g".to_owned(), 60))
        );
        assert_eq!(pin("canary = { percent = 5, pin = \"off\" }\n"), None);
        assert_eq!(pin("canary = { percent = 0, group = \"g\" }\n"), None);
        assert_eq!(pin("serve = \"rust\"\n"), None);
    }

    proptest::proptest! {
        /// More moves nobody back, less takes away only whom more would have added last; a route of the same group
        /// decides the same.
        #[test]
        fn shares_are_monotonic(id in "[a-z0-9-]{1,20}", few in 0_u32..=100_000, more in 0_u32..=100_000) {
            let (few, more) = (few.min(more), few.max(more));
            let at = |buckets: u32| {
                let percent = f64::from(buckets) / 1_000.0;
                let lines = format!("canary = {{ percent = {percent:.3}, group = \"g\", testers = true }}\n");
                let table = table(&lines);
                let found = table.find("crm.example", "GET", "/items/7");
                decide(&table, &found, Some(&user(&id))).backend == Some("rust")
            };
            let bucket = Identity::User(id.clone()).bucket("g");
            proptest::prop_assert_eq!(at(few), bucket < few);
            proptest::prop_assert!(!at(few) || at(more));
        }
    }

    #[test]
    fn nobody_is_in_a_canary_unasked() {
        let all = "serve = \"legacy\"\ncanary = { percent = 100.0, group = \"g\" }\n";
        check(all, None, (Some("legacy"), None, "route"));
        let table = table(all);
        let found = table.find("crm.example", "GET", "/items/7");
        assert!(canary_of(&found).is_some());
        assert_eq!(decide(&table, &found, None).bucket, None);
    }

    #[test]
    fn a_canary_never_moves_a_route_that_somebody_put_elsewhere() {
        for serve in ["rust", "legacy-next", "off"] {
            let lines = format!("serve = \"{serve}\"\ncanary = {{ percent = 100.0, group = \"g\" }}\n");
            let table = table(&lines);
            let found = table.find("crm.example", "GET", "/items/7");
            assert!(canary_of(&found).is_none(), "{serve}");
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
