//! What lies over the routing file: holds and overrides.
//!
//! A hold is a person's pin: while it lasts, nothing sends more users of the route away from its fallback; a rollback
//! holds what it moved. An override answers a route in another way than the file says: a rollback that could not be
//! written, or a file that would send more users of a held route to the candidate. Both live in this node's state and in
//! the audit, so that restarts, hand edits and a lost file do not end them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::route::{Route, Serve, Table};
use crate::store::RouteChange;

use super::approvals::Approvals;
use super::standing::{self, DEFAULTS, Standing};

/// A pin by a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who.
    pub author: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// Whether a rollback set it.
    pub by_rollback: bool,
    /// Until when; absent: until somebody resumes the route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
}

/// A route that is answered in another way than the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Who rolled back; `file` for an edit that a hold stopped.
    pub author: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// Until when, unless the route is held longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<DateTime<Utc>>,
    /// What answers; absent: the fallback, everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Standing>,
}

/// Everything that lies over the file, by route; `[defaults]` stands for what no route matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pins {
    #[serde(default)]
    pub(super) holds: BTreeMap<String, Hold>,
    #[serde(default)]
    pub(super) overrides: BTreeMap<String, Override>,
    #[serde(default, skip_serializing_if = "Approvals::is_empty")]
    pub(super) approvals: Approvals,
}

impl Pins {
    /// The file's table with everything laid over it.
    pub(super) fn over(&self, base: &Table) -> Table {
        let overrides = &self.overrides;
        let default =
            overrides.contains_key(DEFAULTS).then(|| Serve::Backend(base.defaults().fallback.clone()));
        base.changed(default, |route| overrides.get(&route.name).map(|over| over.apply(route)))
    }

    /// Lets go of overrides that the file itself has come to say, or whose routes are gone. The hold of a route that is gone
    /// stays: it may come back.
    pub(super) fn forget_agreed(&mut self, base: &Table) {
        self.overrides.retain(|name, over| match base.route(name) {
            Some(route) => over.differs(route),
            None => name == DEFAULTS && !default_is_safe(base),
        });
    }

    /// The file says something new. Where that would send more users of a held route away from the fallback than
    /// `before` did, the route stays as it was; where it does not, the file counts again.
    pub(super) fn stand_against(&mut self, before: &Table, file: &Table, now: DateTime<Utc>) {
        for (name, hold) in &self.holds {
            let Some(to) = more(before, file, name) else {
                self.overrides.remove(name);
                continue;
            };
            self.overrides.entry(name.clone()).or_insert_with(|| Override {
                since: now,
                author: hold.author.clone(),
                reason: hold.reason.clone(),
                expires: hold.expires,
                to,
            });
        }
    }

    /// Ends what has lasted long enough: holds first, then overrides on routes that nobody holds. Whether anything ended.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) -> bool {
        let before = (self.holds.len(), self.overrides.len());
        let over = |expires: Option<DateTime<Utc>>| expires.is_some_and(|at| at <= now);
        self.holds.retain(|_, hold| !over(hold.expires));
        let holds = &self.holds;
        self.overrides.retain(|name, item| holds.contains_key(name) || !over(item.expires));
        before != (self.holds.len(), self.overrides.len())
    }
}

impl Override {
    fn apply(&self, route: &Route) -> Route {
        match &self.to {
            Some(standing) => standing.laid_over(route),
            None => standing::rolled_back(route),
        }
    }

    /// Whether the file would still send more users away from the fallback than this does.
    fn differs(&self, route: &Route) -> bool {
        match &self.to {
            Some(standing) => Standing::of(route).sends_more_than(standing),
            None => !Standing::of(route).is_safe(),
        }
    }
}

/// What a held route stays as, if the file would send more users away from the fallback than before. What the route was
/// before may not be known: then it stays with its fallback.
fn more(before: &Table, file: &Table, name: &str) -> Option<Option<Standing>> {
    if name == DEFAULTS {
        let changed = before.default_serve() != file.default_serve();
        return (changed && !default_is_safe(file)).then_some(None);
    }
    let new = Standing::of(file.route(name)?);
    match before.route(name).map(|route| Standing::of(route)) {
        Some(old) => new.sends_more_than(&old).then(|| Some(old).filter(|old| !old.is_safe())),
        None => (!new.is_safe()).then_some(None),
    }
}

/// What a change of file and pins did, for the record: who answers, and what is held now and was not before, or the other
/// way round.
pub(super) fn recorded(before: (&Table, &Pins), after: (&Table, &Pins)) -> Vec<RouteChange> {
    let (old, new) = (before.1.over(before.0), after.1.over(after.0));
    let mut changes = standing::differences(&old, &new);
    let names: BTreeSet<&String> = before.1.holds.keys().chain(after.1.holds.keys()).collect();
    for name in names {
        let held = (before.1.holds.contains_key(name), after.1.holds.contains_key(name));
        if held.0 == held.1 || changes.iter().any(|change| change.route == *name) {
            continue;
        }
        let words = |table: &Table, held: bool| match table.route(name) {
            Some(route) => format!("{}{}", Standing::of(route).words(), if held { ", held" } else { "" }),
            None => if held { "held" } else { "-" }.to_owned(),
        };
        changes.push(RouteChange {
            route: name.clone(),
            before: words(&old, held.0),
            after: words(&new, held.1),
        });
    }
    changes.extend(after.1.approvals.since(&before.1.approvals).map(|(route, step)| {
        let standing = new.route(route).map_or_else(|| "-".to_owned(), |route| Standing::of(route).words());
        let after = format!("{standing}, approved for {step}");
        RouteChange { route: route.to_owned(), before: standing, after }
    }));
    changes
}

/// The table when every route, and what no route matches, is answered by its fallback; what is off stays off.
pub(super) fn nothing_tried(table: &Table) -> Table {
    let off = super::serve_word(table.default_serve()) == "off";
    let default = (!off).then(|| Serve::Backend(table.defaults().fallback.clone()));
    table.changed(default, |route| {
        let standing = Standing::of(route);
        (!standing.is_safe() && standing.serve != "off").then(|| standing::rolled_back(route))
    })
}

/// The hold that keeps an override from ending before a person says so.
pub(super) fn hold_of(over: &Override) -> Hold {
    Hold {
        since: over.since,
        author: over.author.clone(),
        reason: over.reason.clone(),
        by_rollback: true,
        expires: over.expires,
    }
}

/// Whether what no route matches goes to the fallback.
pub(super) fn default_is_safe(base: &Table) -> bool {
    super::serve_word(base.default_serve()) == base.defaults().fallback
}

/// The moment after which something ends.
pub(super) fn end(now: DateTime<Utc>, lasts: Option<Duration>) -> Option<DateTime<Utc>> {
    lasts.and_then(|lasts| now.checked_add_signed(chrono::Duration::from_std(lasts).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    fn table(lines: &str) -> Table {
        let text = format!("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{lines}");
        read(&Source::new("routes.toml", text), &Context::default()).0.unwrap()
    }

    fn now(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn held(expires: Option<DateTime<Utc>>) -> Pins {
        let hold = Hold { since: now(0), author: "ana".into(), reason: None, by_rollback: true, expires };
        Pins { holds: BTreeMap::from([("a".to_owned(), hold)]), ..Pins::default() }
    }

    fn words(pins: &Pins, file: &Table) -> String {
        Standing::of(pins.over(file).route("a").unwrap()).words()
    }

    #[test]
    fn a_held_route_never_gets_more_than_it_had() {
        let cases = [
            ("", "serve = \"rust\"\n", "legacy"),
            ("", "canary = { percent = 1 }\n", "legacy"),
            ("canary = { percent = 5 }\n", "canary = { percent = 25 }\n", "legacy, 5% rust"),
            ("canary = { percent = 5 }\n", "serve = \"rust\"\n", "legacy, 5% rust"),
            ("canary = { percent = 5 }\n", "canary = { percent = 1 }\n", "legacy, 1% rust"),
            ("serve = \"rust\"\n", "", "legacy"),
            ("serve = \"rust\"\n", "serve = \"legacy-next\"\n", "rust"),
            ("", "serve = \"off\"\n", "off"),
        ];
        for (before, after, expected) in cases {
            let (before, after) = (table(before), table(after));
            let mut pins = held(None);
            pins.stand_against(&before, &after, now(1));
            assert_eq!(words(&pins, &after), expected);
        }
    }

    #[test]
    fn a_held_route_of_which_the_past_is_lost_stays_with_its_fallback() {
        let mut pins = held(None);
        let nothing = Table::empty(Serve::Backend("legacy".into()));
        pins.stand_against(&nothing, &table("serve = \"rust\"\n"), now(1));
        assert_eq!(words(&pins, &table("serve = \"rust\"\n")), "legacy");
    }

    #[test]
    fn an_override_ends_when_the_file_agrees_and_not_before() {
        let (safe, moved) = (table(""), table("serve = \"rust\"\n"));
        let mut pins = held(None);
        pins.stand_against(&safe, &moved, now(1));
        pins.forget_agreed(&moved);
        assert_eq!(pins.overrides.len(), 1);
        pins.forget_agreed(&safe);
        assert_eq!((pins.overrides.len(), pins.holds.len()), (0, 1));
    }

    #[test]
    fn an_override_does_not_end_by_time_while_the_route_is_held() {
        let moved = table("serve = \"rust\"\n");
        let short =
            Override { since: now(0), author: "ana".into(), reason: None, expires: Some(now(10)), to: None };
        let mut pins = held(None);
        pins.overrides.insert("a".into(), short.clone());
        assert!(!pins.expire(now(11)));
        assert_eq!(words(&pins, &moved), "legacy");
        let mut pins = held(Some(now(10)));
        pins.overrides.insert("a".into(), short);
        assert!(!pins.expire(now(9)));
        assert!(pins.expire(now(10)));
        assert_eq!(words(&pins, &moved), "rust");
    }
}
