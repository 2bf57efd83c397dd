//! What a change comes to, before anything is done: the next text, the next table, and what lies over it.
//!
//! Nothing here writes or swaps; the same plan is shown by a dry run and carried out by `apply`.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::diagnostic::{Report, Source};
use crate::route::{Route, Table, read};
use crate::store::Texts;

use super::approvals::Approval;
use super::change::{Change, Changed, Crowd, Edit, Preview, Refused};
use super::edit::{RouteEdit, edit, edit_default};
use super::pins::{self, Hold, Override, Pins};
use super::shadow::{self, ShadowEdit, edit_shadow};
use super::standing::{self, DEFAULTS, Standing};
use super::told::not_in_the_file;
use super::undo::{NotUndone, undo};
use super::{Control, Running, diff, near, serve_word};

/// A change that somebody wants now, with the past that it takes to plan it.
pub(super) struct Wish<'a> {
    pub(super) change: &'a Change,
    /// The texts around the revision that is to be taken back.
    pub(super) past: Option<&'a Texts>,
    pub(super) now: DateTime<Utc>,
}

/// What will hold when a change is through.
pub(super) struct Next {
    pub(super) text: String,
    pub(super) base: Table,
    pub(super) warnings: Report,
    pub(super) pins: Pins,
    /// Holds at once and whatever the disk says.
    pub(super) safe: bool,
}

/// Routes to be edited in the text of the file.
#[derive(Default)]
pub(super) struct Edits {
    pub(super) routes: Vec<RouteEdit>,
    /// `[defaults].serve` goes to the fallback too.
    pub(super) default: bool,
}

impl Edits {
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let default = self.default.then_some(DEFAULTS);
        self.routes.iter().map(|edit| edit.route.as_str()).chain(default)
    }
}

impl Control {
    /// Plans everything but a rollback, which may not fail and is planned in two ways: see [`rollback_edits`].
    pub(super) fn plan(&self, running: &Running, wish: &Wish<'_>) -> Result<Next, Refused> {
        let (change, now) = (wish.change, wish.now);
        let next = match &change.edit {
            Edit::Flip { route, to, canary } => {
                let edit = self.flip(known(&running.base, route)?, to, canary.as_ref())?;
                self.edited(running, &Edits { routes: vec![edit], default: false })?
            }
            Edit::Canary { route, crowd } => {
                let route = known(&running.base, route)?;
                let edit = self.flip(route, &route.candidate, Some(crowd))?;
                self.edited(running, &Edits { routes: vec![edit], default: false })?
            }
            Edit::Shadow { route, edit } => self.shadowed(running, known(&running.base, route)?, edit)?,
            Edit::Rollback { route, .. } => {
                let mut next = self.edited(running, &rollback_edits(&running.base, route.as_deref())?)?;
                next.safe = true;
                next
            }
            Edit::Hold { route, lasts } => {
                let mut next = Next::unchanged(running);
                let hold = hold(change, false, (now, *lasts));
                next.pins.holds.insert(known_pin(running, route)?, hold);
                next
            }
            Edit::Resume { route } => {
                let route = known_pin(running, route)?;
                let mut next = Next::unchanged(running);
                next.pins.holds.remove(&route);
                next.pins.overrides.remove(&route);
                next
            }
            Edit::Approve { route, step, digest } => {
                let route = known(&running.base, route)?.name.clone();
                let mut next = Next::unchanged(running);
                next.pins.approvals.add(route, approval(change, wish.now, (step, digest)));
                next
            }
            Edit::Record { .. } => Next::unchanged(running),
            Edit::Undo { revision, force } => self.undone(running, (*revision, *force), wish.past)?,
            Edit::Apply { text, name } => self.checked(text.clone(), name, running)?,
        };
        check_holds(running, &next, &change.edit)?;
        Ok(next)
    }

    /// The flip of one route.
    fn flip(&self, route: &Route, to: &str, canary: Option<&Crowd>) -> Result<RouteEdit, Refused> {
        let backends = self.context.backends.iter().flatten();
        if to != "off" && !backends.clone().any(|backend| backend == to) {
            return Err(Refused::UnknownBackend {
                backend: to.to_owned(),
                known: backends.cloned().collect(),
            });
        }
        let edit = |serve: &str, candidate, crowd| RouteEdit {
            route: route.name.clone(),
            serve: serve.to_owned(),
            candidate,
            crowd,
        };
        match canary {
            None => Ok(edit(to, None, Crowd::nobody())),
            Some(_) if to == route.fallback || to == "off" => Err(Refused::CanaryToFallback(to.to_owned())),
            Some(crowd) => {
                let candidate = (to != route.candidate).then(|| to.to_owned());
                Ok(edit(&route.fallback, candidate, crowd.clone()))
            }
        }
    }

    /// The edits written into the text of the file, and the result checked like any other routing file.
    pub(super) fn edited(&self, running: &Running, edits: &Edits) -> Result<Next, Refused> {
        let invalid = |errors: String| Refused::Invalid { errors };
        let defaults = running.base.defaults();
        let mut text =
            edit(&running.state.text, &edits.routes, serve_word(&defaults.serve)).map_err(invalid)?;
        if edits.default {
            text = edit_default(&text, &defaults.fallback).map_err(invalid)?;
        }
        let mut next = self.read_next(text, &self.name(), running)?;
        if let Some(route) = unexpected(&running.base, &next.base, edits) {
            return Err(invalid(format!(
                "editing the file would change route `{route}` in another way than asked"
            )));
        }
        next.pins.overrides.retain(|name, _| !edits.names().any(|edited| edited == name));
        Ok(next)
    }

    /// An edit of what is copied of a route's requests: it moves nobody.
    fn shadowed(&self, running: &Running, route: &Route, edit: &ShadowEdit) -> Result<Next, Refused> {
        let invalid = |errors: String| Refused::Invalid { errors };
        let text = edit_shadow(&running.state.text, &route.name, edit).map_err(invalid)?;
        let next = self.read_next(text, &self.name(), running)?;
        let pairs = running.base.routes().iter().zip(next.base.routes());
        let as_planned = |(old, new): (&Arc<Route>, &Arc<Route>)| match old.name == route.name {
            true => shadow::as_planned(old, new, edit),
            false => same_but_place(old, new),
        };
        if running.base.routes().len() != next.base.routes().len() || !pairs.into_iter().all(as_planned) {
            return Err(invalid("editing the file would change it in another way than asked".to_owned()));
        }
        Ok(next)
    }

    fn undone(
        &self,
        running: &Running,
        asked: (Option<u64>, bool),
        past: Option<&Texts>,
    ) -> Result<Next, Refused> {
        let (revision, force) = asked;
        let revision = revision.unwrap_or(running.state.revision);
        let cannot =
            |why: &str| Refused::CannotUndo(format!("revision {revision} cannot be taken back: {why}"));
        let past = past.ok_or_else(|| cannot("the store does not know it, or cannot be used"))?;
        let Some((before, after)) = past.before.as_ref().zip(past.after.as_ref()) else {
            return Err(cannot("the routing file before or after it is not kept"));
        };
        if before == after {
            return Err(cannot(not_in_the_file(past.record.action)));
        }
        let text = undo(before, after, &running.state.text, force).map_err(|refused| match refused {
            NotUndone::Unreadable(why) => cannot(&why),
            NotUndone::ChangedSince(parts) => Refused::ChangedSince(format!(
                "{} changed again since revision {revision}: `ficus history --diff` shows how, `--force` takes the \
                 later change back, too",
                quoted(&parts)
            )),
        })?;
        self.checked(text, &self.name(), running)
    }

    /// A whole text, as a hand edit would bring it: what it does not say is not laid over it any more.
    fn checked(&self, text: String, name: &str, running: &Running) -> Result<Next, Refused> {
        let mut next = self.read_next(text, name, running)?;
        let (before, file) = (running.effective(), next.base.clone());
        next.pins.overrides.retain(|name, _| differs(&before, &file, name));
        next.pins.forget_agreed(&next.base);
        Ok(next)
    }

    fn read_next(&self, text: String, name: &str, running: &Running) -> Result<Next, Refused> {
        let (base, warnings) = read(&Source::new(name, text.as_str()), &self.context);
        let base = base.ok_or_else(|| Refused::Invalid { errors: warnings.render(false) })?;
        Ok(Next { text, base, warnings, pins: running.state.pins.clone(), safe: false })
    }

    fn name(&self) -> String {
        self.path.as_deref().map(Path::display).map(|path| path.to_string()).unwrap_or_default()
    }
}

impl Next {
    /// Everything as it is.
    pub(super) fn unchanged(running: &Running) -> Self {
        Self {
            text: running.state.text.clone(),
            base: running.base.clone(),
            warnings: running.warnings.clone(),
            pins: running.state.pins.clone(),
            safe: false,
        }
    }

    /// The rollback laid over the file instead of written into it.
    pub(super) fn overridden(running: &Running, edits: &Edits, over: &Override) -> Self {
        let mut next = Self::unchanged(running);
        for name in edits.names().filter(|name| !is_safe(&running.base, name)) {
            next.pins.overrides.entry(name.to_owned()).or_insert_with(|| over.clone());
        }
        next.safe = true;
        next
    }

    /// What would differ from what is running.
    pub(super) fn preview(&self, running: &Running) -> Preview {
        let (before, after) = (running.effective(), self.pins.over(&self.base));
        let changes = changed(&before, &after);
        let ask =
            changes.iter().any(|change| change.more || (change.after == "off" && change.before != "off"));
        let diff = diff::unified(&running.state.text, &self.text);
        Preview { revision: running.state.revision, changes, ask, diff }
    }
}

/// The hold that a change sets.
pub(super) fn hold(
    change: &Change,
    by_rollback: bool,
    (now, lasts): (DateTime<Utc>, Option<std::time::Duration>),
) -> Hold {
    Hold {
        since: now,
        author: change.author.clone(),
        reason: change.reason.clone(),
        by_rollback,
        expires: pins::end(now, lasts),
    }
}

fn approval(change: &Change, at: DateTime<Utc>, (step, digest): (&str, &str)) -> Approval {
    Approval {
        at,
        author: change.author.clone(),
        reason: change.reason.clone(),
        step: step.to_owned(),
        digest: digest.to_owned(),
    }
}

/// The routes that a rollback moves. A route that is switched off stays off unless it is named.
pub(super) fn rollback_edits(base: &Table, route: Option<&str>) -> Result<Edits, Refused> {
    if let Some(route) = route {
        return Ok(Edits { routes: vec![rollback(known(base, route)?)], default: false });
    }
    let moved = |route: &&std::sync::Arc<Route>| {
        let standing = Standing::of(route);
        !standing.is_safe() && standing.serve != "off"
    };
    let routes = base.routes().iter().filter(moved).map(|route| rollback(route)).collect();
    Ok(Edits { routes, default: !pins::default_is_safe(base) && serve_word(base.default_serve()) != "off" })
}

fn rollback(route: &Route) -> RouteEdit {
    RouteEdit {
        route: route.name.clone(),
        serve: route.fallback.clone(),
        candidate: None,
        crowd: Crowd::nobody(),
    }
}

/// Nothing sends more users of a held route away from its fallback, except the end of the hold itself.
fn check_holds(running: &Running, next: &Next, edit: &Edit) -> Result<(), Refused> {
    let (before, after) = (running.effective(), next.pins.over(&next.base));
    for change in changed(&before, &after).iter().filter(|change| change.more) {
        let resumed = matches!(edit, Edit::Resume { route } if *route == change.route);
        if let Some(hold) = running.state.pins.holds.get(&change.route).filter(|_| !resumed) {
            return Err(Refused::Held(held(&change.route, hold)));
        }
    }
    Ok(())
}

fn held(route: &str, hold: &Hold) -> String {
    let how = if hold.by_rollback { "rolled back and held" } else { "held" };
    let why = hold.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let until = hold.expires.map(|at| format!(" until {}", at.format("%F %T UTC"))).unwrap_or_default();
    format!(
        "`{route}` was {how} by `{}` at {}{until}{why}: it gets no more traffic away from its fallback until `ficus \
         resume {route}`",
        hold.author,
        hold.since.format("%F %T UTC")
    )
}

/// What differs between two tables, with what it means.
pub(super) fn changed(before: &Table, after: &Table) -> Vec<Changed> {
    let more = |name: &str| match (before.route(name), after.route(name)) {
        (Some(old), Some(new)) => Standing::of(new).sends_more_than(&Standing::of(old)),
        (None, Some(new)) => !Standing::of(new).is_safe(),
        (Some(_), None) => false,
        (None, None) => !pins::default_is_safe(after),
    };
    let differences = standing::differences(before, after).into_iter();
    differences
        .map(|change| Changed {
            more: more(&change.route),
            route: change.route,
            before: change.before,
            after: change.after,
        })
        .collect()
}

/// A route of the file, or whatever else is held: `[defaults]`, a route that is gone.
fn known_pin(running: &Running, name: &str) -> Result<String, Refused> {
    if running.state.pins.holds.contains_key(name) {
        return Ok(name.to_owned());
    }
    known(&running.base, name).map(|route| route.name.clone())
}

fn known<'t>(table: &'t Table, name: &str) -> Result<&'t Route, Refused> {
    table
        .route(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| Refused::UnknownRoute { route: name.to_owned(), near: near(table, name) })
}

fn is_safe(base: &Table, name: &str) -> bool {
    match base.route(name) {
        Some(route) => Standing::of(route).is_safe(),
        None => pins::default_is_safe(base),
    }
}

/// Whether a file would still answer a route in another way than it is answered now.
fn differs(before: &Table, file: &Table, name: &str) -> bool {
    match (before.route(name), file.route(name)) {
        (Some(old), Some(new)) => Standing::of(new).sends_more_than(&Standing::of(old)),
        _ => name == DEFAULTS && before.default_serve() != file.default_serve(),
    }
}

/// A route that an edit of the text would change in another way than planned; there should be none.
fn unexpected(before: &Table, after: &Table, edits: &Edits) -> Option<String> {
    let same_length = before.routes().len() == after.routes().len();
    let pairs = before.routes().iter().zip(after.routes());
    let mut wrong =
        pairs.filter(|(old, new)| match edits.routes.iter().find(|edit| edit.route == old.name) {
            Some(edit) => new.name != old.name || !as_planned(&Standing::of(new), edit),
            None if edits.default => new.name != old.name,
            None => !same_but_place(old, new),
        });
    wrong.next().map(|(old, _)| old.name.clone()).or((!same_length).then(|| "?".to_owned()))
}

/// Whether two routes differ in nothing but their lines.
fn same_but_place(old: &Route, new: &Route) -> bool {
    Route { line: 0, ..old.clone() } == Route { line: 0, ..new.clone() }
}

fn as_planned(standing: &Standing, edit: &RouteEdit) -> bool {
    let crowd = &edit.crowd;
    standing.serve == edit.serve
        && crowd.buckets.is_none_or(|buckets| buckets == standing.buckets)
        && crowd.users.as_ref().is_none_or(|users| *users == standing.users)
        && crowd.roles.as_ref().is_none_or(|roles| *roles == standing.roles)
        && crowd.networks.as_ref().is_none_or(|networks| *networks == standing.networks)
        && crowd.testers.is_none_or(|testers| testers == standing.testers)
        && crowd.group.as_ref().is_none_or(|group| *group == standing.group)
        && edit.candidate.as_ref().is_none_or(|candidate| *candidate == standing.candidate)
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
