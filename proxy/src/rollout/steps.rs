//! Where a route stands on its way to the candidate, and which step comes next. Pure.

use sha2::{Digest, Sha256};

use crate::control::{Crowd, Edit, ShadowEdit, Standing};
use crate::route::{Plan, Route, Serve, Step};

/// Where a route stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// The fallback answers everybody, and nothing is copied.
    Before,
    /// At a step of the way, or between two of them.
    At(Step),
    /// Switched off.
    Off,
    /// A backend answers that is neither candidate nor fallback.
    Elsewhere(String),
}

impl Stage {
    /// Of a route.
    pub(super) fn of(route: &Route) -> Self {
        let name = match &route.serve {
            Serve::Off => return Self::Off,
            Serve::Backend(name) => name,
        };
        if *name == route.candidate && route.candidate != route.fallback {
            return Self::At(Step::Candidate);
        }
        if *name != route.fallback {
            return Self::Elsewhere(name.clone());
        }
        let share = route.active_canary().map_or(0, |canary| canary.buckets);
        let copied = route.shadow.as_ref().is_some_and(|shadow| shadow.sample > 0.0);
        match (share, copied) {
            (0, true) => Self::At(Step::Shadow),
            (0, false) => Self::Before,
            (share, _) => Self::At(Step::Share(share)),
        }
    }

    /// `legacy`, `shadow`, `5%`, `rust`, `off`.
    pub(super) fn word(&self, route: &Route) -> String {
        match self {
            Self::Before => route.fallback.clone(),
            Self::At(step) => step.word(&route.candidate),
            Self::Off => "off".to_owned(),
            Self::Elsewhere(name) => name.clone(),
        }
    }

    /// The next step of a plan; absent: there is none.
    pub(super) fn next(&self, plan: &Plan) -> Option<Step> {
        match self {
            Self::Before => plan.steps.first().copied(),
            Self::At(here) => plan.steps.iter().copied().find(|step| step > here),
            Self::Off | Self::Elsewhere(_) => None,
        }
    }
}

/// The edit that takes a route to a step.
pub(super) fn edit(route: &Route, step: Step) -> Edit {
    let name = route.name.clone();
    match step {
        Step::Shadow => Edit::Shadow { route: name, edit: ShadowEdit::Sample(1.0) },
        Step::Share(buckets) => {
            Edit::Canary { route: name, crowd: Crowd { buckets: Some(buckets), ..Crowd::default() } }
        }
        Step::Candidate => Edit::Flip { route: name, to: route.candidate.clone(), canary: None },
    }
}

/// What an approval is for: the route as it is written and answered, and the certificate behind it.
pub(super) fn digest(route: &Route, certificate: Option<(u64, Option<&str>)>) -> String {
    let standing = Standing::of(route);
    let written = (&route.rules, &route.methods, &route.guard, &route.plan, &route.shadow);
    let hex = |text: String| -> String {
        Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    };
    let own = hex(format!("{standing:?}{written:?}"));
    match certificate {
        Some(certificate) => format!("{own}-{}", hex(format!("{certificate:?}"))),
        None => own,
    }
}

/// Whether an approval is for the route as it is, by digest. In a fleet another node may have compared answers and this one
/// not yet: then what was written counts.
pub(super) fn stands(approved: &str, now: &str, in_fleet: bool) -> bool {
    let seen = now.contains('-');
    approved == now || (in_fleet && !seen && approved.split('-').next() == Some(now))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    pub(in super::super) fn route(lines: &str) -> Route {
        let text = format!("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{lines}");
        let (table, report) = read(&Source::new("routes.toml", text), &Context::default());
        let table = table.unwrap_or_else(|| panic!("{report:?}"));
        table.route("a").unwrap().as_ref().clone()
    }

    #[test]
    fn a_route_goes_up_step_by_step() {
        let cases = [
            ("", "legacy", Some("shadow")),
            ("shadow = { sample = 1.0 }\n", "shadow", Some("1%")),
            ("canary = { percent = 1.0 }\n", "1%", Some("5%")),
            ("canary = { percent = 10.0 }\n", "10%", Some("25%")),
            ("canary = { percent = 100.0 }\n", "100%", Some("rust")),
            ("canary = { testers = true }\n", "legacy", Some("shadow")),
            ("shadow = {}\ncanary = { users = [\"7\"] }\n", "shadow", Some("1%")),
            ("serve = \"rust\"\n", "rust", None),
            ("serve = \"off\"\n", "off", None),
            ("serve = \"legacy-next\"\n", "legacy-next", None),
            ("plan = { steps = [\"10%\", \"candidate\"] }\n", "legacy", Some("10%")),
            ("canary = { percent = 20 }\nplan = { steps = [\"10%\", \"rust\"] }\n", "20%", Some("rust")),
            ("canary = { percent = 20 }\nplan = { steps = [\"10%\"] }\n", "20%", None),
        ];
        for (lines, here, next) in cases {
            let route = route(lines);
            let stage = Stage::of(&route);
            let plan = route.plan.clone().unwrap_or_default();
            let step = stage.next(&plan).map(|step| step.word(&route.candidate));
            assert_eq!((stage.word(&route).as_str(), step.as_deref()), (here, next), "{lines}");
        }
    }

    #[test]
    fn an_approval_is_for_the_route_as_it_is_and_its_certificate() {
        let (one, other) = (route("canary = { percent = 1 }\n"), route("canary = { percent = 5 }\n"));
        assert_eq!(digest(&one, Some((1, Some("b")))), digest(&one, Some((1, Some("b")))));
        assert_ne!(digest(&one, Some((1, None))), digest(&other, Some((1, None))));
        assert_ne!(digest(&one, Some((1, Some("b")))), digest(&one, Some((2, Some("b")))));
        assert_ne!(digest(&one, Some((1, Some("b")))), digest(&one, Some((1, Some("c")))));
        let (seen, unseen, else_) = (digest(&one, Some((1, None))), digest(&one, None), digest(&other, None));
        for (approved, now, in_fleet, expected) in [
            (&seen, &seen, false, true),
            (&seen, &unseen, false, false),
            (&seen, &unseen, true, true),
            (&unseen, &seen, true, false),
            (&seen, &else_, true, false),
        ] {
            assert_eq!(stands(approved, now, in_fleet), expected, "{approved} {now} {in_fleet}");
        }
    }
}
