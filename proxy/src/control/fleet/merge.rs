//! Two nodes know different things: what follows, and what both together come to. Pure.
//!
//! The rule: what a node did while nobody heard it was a way to safety, and it wins over everything that sends more users
//! to a candidate; everything else is as the others have it. Where nobody knows any more what both began with (the
//! store was lost, or is an older copy), every route gets the less of the two, and everything that is held anywhere stays
//! held: only a person gives traffic back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::diagnostic::Source;
use crate::route::{Context, Table, read};

use super::super::change::Crowd;
use super::super::edit::{RouteEdit, edit, edit_default};
use super::super::pins::{self, Override, Pins};
use super::super::serve_word;
use super::super::standing::{DEFAULTS, Standing};

/// What one side has: a routing file and what lies over it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) text: &'a str,
    pub(crate) base: &'a Table,
    pub(crate) pins: &'a Pins,
}

/// What a node knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own<'a> {
    /// Number and digest of the fleet's revision that it ran last; absent: it has never run one.
    pub(crate) synced: Option<(u64, &'a str)>,
    /// It has made changes that the others have not heard of.
    pub(crate) apart: bool,
    /// It remembers nothing at all.
    pub(crate) blind: bool,
}

/// What a node has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Stay,
    /// Run what the fleet runs.
    Follow,
    /// Bring both together; `from` the revision that both know, or from nothing.
    Meet {
        /// Whether there is such a revision.
        from: bool,
    },
    /// Tell the store what holds: it knows nothing.
    Found,
}

/// What a node has to do, when `head` holds for the fleet; `known`: the store has the revision that the node ran last.
pub(crate) fn step(own: &Own<'_>, head: Option<(u64, &str)>, known: bool) -> Step {
    let Some(head) = head else { return Step::Found };
    match (own.synced, own.apart) {
        _ if own.blind => Step::Follow,
        (Some(synced), false) if synced == head => Step::Stay,
        (Some(_), false) if known => Step::Follow,
        (Some(_), true) if known => Step::Meet { from: true },
        _ => Step::Meet { from: false },
    }
}

/// What the head comes to when `own` counts as said above.
pub(crate) fn merge(
    from: Option<Side<'_>>,
    own: Side<'_>,
    head: Side<'_>,
    context: &Context,
    now: DateTime<Utc>,
) -> (String, Pins) {
    let lowered = lowered(from, own, head);
    // Nobody else has touched anything: what this node has is what there is.
    if from.is_some_and(|from| from.text == head.text && from.pins == head.pins) {
        return (own.text.to_owned(), own.pins.clone());
    }
    let mut pins = head.pins.clone();
    for (name, hold) in &own.pins.holds {
        if from.is_none_or(|from| from.pins.holds.get(name) != Some(hold)) {
            pins.holds.entry(name.clone()).or_insert_with(|| hold.clone());
        }
    }
    let Some((text, base)) = write(head, &lowered, context) else {
        return (head.text.to_owned(), laid(pins, &lowered, own, now));
    };
    pins.overrides.retain(|name, _| !lowered.contains_key(name));
    // A hold that came along stops what the file says of its route, where that is more than the node sent.
    let left = self::lowered(from, own, Side { text: &text, base: &base, pins: &pins });
    let mut pins = laid(pins, &left, own, now);
    pins.forget_agreed(&base);
    (text, pins)
}

/// What lies over `own` so that nothing is sent to a candidate that the fleet does not send there: for a node that cannot
/// run what the fleet runs.
pub(crate) fn at_most(own: Side<'_>, fleet: Side<'_>, now: DateTime<Utc>) -> Pins {
    let mut pins = own.pins.clone();
    for (name, hold) in &fleet.pins.holds {
        pins.holds.entry(name.clone()).or_insert_with(|| hold.clone());
    }
    laid(pins, &lowered(None, fleet, own), fleet, now)
}

/// Routes of the head that send more than `own` does, where that counts, and what `own` has them at.
fn lowered(from: Option<Side<'_>>, own: Side<'_>, head: Side<'_>) -> BTreeMap<String, Standing> {
    let (mine, theirs) = (own.pins.over(own.base), head.pins.over(head.base));
    let before = from.map(|from| from.pins.over(from.base));
    let mut lowered = BTreeMap::new();
    for route in theirs.routes() {
        let name = &route.name;
        let of = |table: &Table| table.route(name).map(|route| Standing::of(route));
        let held = |side: &Side<'_>| side.pins.holds.contains_key(name);
        // A hold that was set anew is a person's word, also where the route was held before.
        let untouched = from.zip(before.as_ref()).is_some_and(|(from, before)| {
            of(before) == of(&mine) && from.pins.holds.get(name) == own.pins.holds.get(name)
        });
        if untouched {
            continue;
        }
        let theirs = Standing::of(route);
        match of(&mine) {
            // Each sends somebody whom the other one does not: nobody, then.
            Some(mine) if theirs.sends_more_than(&mine) && mine.sends_more_than(&theirs) => {
                lowered.insert(name.clone(), safe(&theirs));
            }
            Some(mine) if theirs.sends_more_than(&mine) => {
                lowered.insert(name.clone(), mine);
            }
            None if held(&own) && !theirs.is_safe() && theirs.serve != "off" => {
                lowered.insert(name.clone(), safe(&theirs));
            }
            _ => {}
        }
    }
    let default = |table: &Table| serve_word(table.default_serve()).to_owned();
    let touched = before.as_ref().is_none_or(|before| default(before) != default(&mine));
    let safe_here = default(&mine) == mine.defaults().fallback || default(&mine) == "off";
    let safe_there = [theirs.defaults().fallback.as_str(), "off"].contains(&default(&theirs).as_str());
    if touched && safe_here && !safe_there {
        let fallback = theirs.defaults().fallback.clone();
        lowered.insert(DEFAULTS.to_owned(), plain(&fallback));
    }
    lowered
}

/// Everybody by the fallback.
fn safe(standing: &Standing) -> Standing {
    Standing {
        serve: standing.fallback.clone(),
        candidate: standing.candidate.clone(),
        ..plain(&standing.fallback)
    }
}

fn plain(fallback: &str) -> Standing {
    Standing {
        serve: fallback.to_owned(),
        candidate: fallback.to_owned(),
        fallback: fallback.to_owned(),
        buckets: 0,
        users: Vec::new(),
        roles: Vec::new(),
        networks: Vec::new(),
        testers: false,
        group: String::new(),
    }
}

/// The head's file with these routes at these standings; `None`: it cannot be edited so.
fn write(head: Side<'_>, lowered: &BTreeMap<String, Standing>, context: &Context) -> Option<(String, Table)> {
    let edits: Vec<RouteEdit> = lowered
        .iter()
        .filter(|(name, _)| *name != DEFAULTS)
        .map(|(name, standing)| route_edit(head.base, name, standing))
        .collect();
    let defaults = head.base.defaults();
    let mut text = edit(head.text, &edits, serve_word(&defaults.serve)).ok()?;
    if lowered.contains_key(DEFAULTS) {
        text = edit_default(&text, &defaults.fallback).ok()?;
    }
    let (base, _) = read(&Source::new("merged", text.as_str()), context);
    Some((text, base?))
}

fn route_edit(base: &Table, name: &str, standing: &Standing) -> RouteEdit {
    let crowd = Crowd {
        buckets: Some(standing.buckets),
        users: Some(standing.users.clone()),
        roles: Some(standing.roles.clone()),
        networks: Some(standing.networks.clone()),
        testers: Some(standing.testers),
        group: base
            .route(name)
            .is_some_and(|route| Standing::of(route).group != standing.group)
            .then(|| standing.group.clone()),
    };
    let candidate = base.route(name).map(|route| route.candidate.clone());
    let safe = standing.is_safe();
    RouteEdit {
        route: name.to_owned(),
        serve: match base.route(name) {
            Some(route) if safe || standing.has_canary() => route.fallback.clone(),
            _ => standing.serve.clone(),
        },
        candidate: (!safe && candidate.as_ref() != Some(&standing.candidate))
            .then(|| standing.candidate.clone()),
        crowd: if standing.has_canary() { crowd } else { Crowd::nobody() },
    }
}

/// The same, laid over the file.
fn laid(mut pins: Pins, lowered: &BTreeMap<String, Standing>, own: Side<'_>, now: DateTime<Utc>) -> Pins {
    for (name, standing) in lowered {
        let hold = own.pins.holds.get(name);
        let over = Override {
            since: hold.map_or(now, |hold| hold.since),
            author: hold.map_or_else(|| "fleet".to_owned(), |hold| hold.author.clone()),
            reason: hold.and_then(|hold| hold.reason.clone()),
            expires: hold.and_then(|hold| hold.expires),
            to: (!standing.is_safe() && name != DEFAULTS).then(|| standing.clone()),
        };
        pins.overrides.insert(name.clone(), over);
        let held = pins::hold_of(&pins.overrides[name]);
        pins.holds.entry(name.clone()).or_insert(held);
    }
    pins
}
