//! A change from the question to the record.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::Utc;

use crate::diagnostic::{Report, Source};
use crate::route::{Route, Routing, Table, read};
use crate::store::{Record, RouteChange};

use super::change::{Applied, Change, Changed, Edit, Refused};
use super::edit::{RouteEdit, edit, edit_default};
use super::start::log_intent;
use super::state::{LastChange, Override};
use super::{Control, Reloaded, Running, Standing, effective, file, near, serve_word, standing};

/// What a change comes to: the routes it touches and what they shall be.
struct Plan {
    edits: Vec<RouteEdit>,
    /// `[defaults].serve` goes to the fallback too.
    default: bool,
    /// Everything it touches ends on its fallback: this may never fail.
    safe: bool,
}

/// What will hold when a change is through.
struct Next {
    text: String,
    base: Table,
    warnings: Report,
    overrides: BTreeMap<String, Override>,
    /// Holds at once and whatever the disk says.
    safe: bool,
}

impl Control {
    /// Makes a change.
    ///
    /// # Errors
    /// When it is refused; then nothing has changed.
    pub fn apply(&self, change: &Change) -> Result<Applied, Refused> {
        let mut running = self.lock_to_change().ok_or(Refused::Moved)?;
        let Some(path) = &self.path else {
            return without_file(change, &running);
        };
        let disk = self.look(path, &mut running);
        check_revision(change, &running)?;
        let plan = self.plan(&running, &change.edit)?;
        let attempt = match disk {
            Reloaded::Refused { message, errors } => {
                Err(Refused::FileBroken { errors: if errors.is_empty() { message } else { errors } })
            }
            _ => self.edited(&running, &plan).and_then(|next| self.commit(path, &mut running, next, change)),
        };
        match attempt {
            Err(Refused::CannotWrite(_) | Refused::FileBroken { .. }) if plan.safe => {
                let cause = attempt.map_or_else(|refused| refused.to_string(), |_| String::new());
                let next = overridden(&running, &plan, change);
                let mut applied = self.commit(path, &mut running, next, change)?;
                applied.overridden = !applied.changes.is_empty();
                applied.warnings.insert(0, cause);
                Ok(applied)
            }
            other => other,
        }
    }

    fn plan(&self, running: &Running, edit: &Edit) -> Result<Plan, Refused> {
        match edit {
            Edit::Flip { route, to, canary } => {
                let route = known(&running.base, route)?;
                let known = self.context.backends.iter().flatten();
                if to != "off" && !known.clone().any(|backend| backend == to) {
                    return Err(Refused::UnknownBackend {
                        backend: to.clone(),
                        known: known.cloned().collect(),
                    });
                }
                let edit = flip(route, to, *canary)?;
                let safe = edit.serve == route.fallback && edit.canary == 0 && !edit.keep_users;
                Ok(Plan { edits: vec![edit], default: false, safe })
            }
            Edit::Rollback { route: Some(route) } => {
                let edits = vec![rollback(known(&running.base, route)?)];
                Ok(Plan { edits, default: false, safe: true })
            }
            Edit::Rollback { route: None } => {
                let moved = |route: &&std::sync::Arc<Route>| {
                    let standing = Standing::of(route);
                    !standing.is_safe() && standing.serve != "off"
                };
                let edits = running.base.routes().iter().filter(moved).map(|route| rollback(route)).collect();
                let default = serve_word(running.base.default_serve());
                let default = default != running.base.defaults().fallback && default != "off";
                Ok(Plan { edits, default, safe: true })
            }
        }
    }

    /// The change written into the text of the file, and the result checked like any other routing file.
    fn edited(&self, running: &Running, plan: &Plan) -> Result<Next, Refused> {
        let invalid = |errors: String| Refused::Invalid { errors };
        let defaults = running.base.defaults();
        let mut text =
            edit(&running.state.text, &plan.edits, serve_word(&defaults.serve)).map_err(invalid)?;
        if plan.default {
            text = edit_default(&text, &defaults.fallback).map_err(invalid)?;
        }
        let name = self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let (base, report) = read(&Source::new(name, text.as_str()), &self.context);
        let base = base.ok_or_else(|| invalid(report.render(false)))?;
        if let Some(route) = unexpected(&running.base, &base, plan) {
            return Err(invalid(format!(
                "editing the file would change route `{route}` in another way than asked"
            )));
        }
        let mut overrides = running.state.overrides.clone();
        overrides.retain(|name, _| !plan.touches(name));
        Ok(Next { text, base, warnings: report, overrides, safe: plan.safe })
    }

    /// Writes, swaps, records. After an error nothing has changed.
    fn commit(
        &self,
        path: &Path,
        running: &mut Running,
        next: Next,
        change: &Change,
    ) -> Result<Applied, Refused> {
        let before = running.effective();
        let state = super::State { overrides: next.overrides.clone(), ..running.state.clone() };
        let after = effective(&next.base, &state);
        let changes = standing::differences(&before, &after);
        if changes.is_empty() && next.overrides == running.state.overrides {
            return Ok(nothing(running));
        }
        let record = Record {
            revision: running.state.revision + 1,
            at: Utc::now(),
            author: change.author.clone(),
            reason: change.reason.clone(),
            action: change.edit.action(),
            changes,
            hash: file::hash(&next.text),
            text: Some(next.text.clone()),
        };
        if next.safe {
            // Nobody waits for a disk on the way to safety: if the file cannot be written, this is laid over it.
            self.live.store(Routing { revision: record.revision, table: after });
        }
        let writes = next.text != running.state.text;
        if writes {
            log_intent(&self.recorder, &record);
            if let Err(error) = file::replace(path, &next.text) {
                self.recorder.withdraw(&record);
                return Err(error.into());
            }
        }
        running.base = next.base;
        running.hash.clone_from(&record.hash);
        running.warnings = next.warnings;
        running.state.revision = record.revision;
        running.state.text = next.text;
        running.state.overrides = next.overrides;
        running.state.last = Some(LastChange::from(&record));
        self.swap(running);
        let mut warnings = Vec::new();
        warnings.extend(self.state_file.save(&running.state).err());
        if !writes {
            log_intent(&self.recorder, &record);
        }
        let applied = applied(&before, &record, warnings);
        tracing::info!(revision = record.revision, author = record.author, changes = ?record.changes, "flipped");
        self.recorder.confirm(record);
        Ok(applied)
    }
}

impl Plan {
    fn touches(&self, name: &str) -> bool {
        (self.default && name == standing::DEFAULTS) || self.edits.iter().any(|edit| edit.route == name)
    }
}

fn without_file(change: &Change, running: &Running) -> Result<Applied, Refused> {
    match change.edit {
        Edit::Rollback { route: None } => Ok(nothing(running)),
        _ => Err(Refused::NoFile),
    }
}

fn nothing(running: &Running) -> Applied {
    Applied { revision: running.state.revision, changes: Vec::new(), overridden: false, warnings: Vec::new() }
}

/// A person who decided on an old picture is told what happened since. A rollback is right on any picture.
fn check_revision(change: &Change, running: &Running) -> Result<(), Refused> {
    let (Some(based_on), Edit::Flip { .. }) = (change.based_on, &change.edit) else {
        return Ok(());
    };
    if based_on == running.state.revision {
        return Ok(());
    }
    let current = match &running.state.last {
        Some(last) => {
            let what: Vec<String> =
                last.changes.iter().map(|c| format!("{}: {} -> {}", c.route, c.before, c.after)).collect();
            let what = if what.is_empty() { last.action.word().to_owned() } else { what.join("; ") };
            format!(
                "{} was made by `{}` at {} ({what})",
                running.state.revision,
                last.author,
                last.at.format("%F %T UTC")
            )
        }
        None => format!("{} holds now", running.state.revision),
    };
    Err(Refused::Stale { based_on, current })
}

fn known<'t>(table: &'t Table, name: &str) -> Result<&'t Route, Refused> {
    table
        .route(name)
        .map(AsRef::as_ref)
        .ok_or_else(|| Refused::UnknownRoute { route: name.to_owned(), near: near(table, name) })
}

fn flip(route: &Route, to: &str, canary: Option<u32>) -> Result<RouteEdit, Refused> {
    let edit = |serve: &str, candidate: Option<String>, canary, keep_users| RouteEdit {
        route: route.name.clone(),
        serve: serve.to_owned(),
        candidate,
        canary,
        keep_users,
    };
    match canary {
        None => Ok(edit(to, None, 0, false)),
        Some(_) if to == route.fallback || to == "off" => Err(Refused::CanaryToFallback(to.to_owned())),
        Some(buckets) => {
            let candidate = (to != route.candidate).then(|| to.to_owned());
            Ok(edit(&route.fallback, candidate, buckets, true))
        }
    }
}

fn rollback(route: &Route) -> RouteEdit {
    RouteEdit {
        route: route.name.clone(),
        serve: route.fallback.clone(),
        candidate: None,
        canary: 0,
        keep_users: false,
    }
}

/// A route that an edit of the text would change in another way than planned; there should be none.
fn unexpected(before: &Table, after: &Table, plan: &Plan) -> Option<String> {
    let same_length = before.routes().len() == after.routes().len();
    let pairs = before.routes().iter().zip(after.routes());
    let mut wrong = pairs.filter(|(old, new)| match plan.edits.iter().find(|edit| edit.route == old.name) {
        Some(edit) => new.name != old.name || !as_planned(&Standing::of(new), edit),
        None if plan.default => new.name != old.name,
        None => Route { line: 0, ..(***old).clone() } != Route { line: 0, ..(***new).clone() },
    });
    wrong.next().map(|(old, _)| old.name.clone()).or((!same_length).then(|| "?".to_owned()))
}

fn as_planned(standing: &Standing, edit: &RouteEdit) -> bool {
    standing.serve == edit.serve
        && standing.buckets == edit.canary
        && (edit.keep_users || standing.users.is_empty())
        && edit.candidate.as_ref().is_none_or(|candidate| *candidate == standing.candidate)
}

/// The rollback laid over the file instead of written into it.
fn overridden(running: &Running, plan: &Plan, change: &Change) -> Next {
    let mut overrides = running.state.overrides.clone();
    let mut names: Vec<String> = plan.edits.iter().map(|edit| edit.route.clone()).collect();
    if plan.default {
        names.push(standing::DEFAULTS.to_owned());
    }
    for name in names.into_iter().filter(|name| !super::agrees(&running.base, name)) {
        overrides.entry(name).or_insert_with(|| Override {
            since: Utc::now(),
            author: change.author.clone(),
            reason: change.reason.clone(),
        });
    }
    Next {
        text: running.state.text.clone(),
        base: running.base.clone(),
        warnings: running.warnings.clone(),
        overrides,
        safe: true,
    }
}

fn applied(before: &Table, record: &Record, warnings: Vec<String>) -> Applied {
    let changed = |change: &RouteChange| Changed {
        route: change.route.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        undo: match before.route(&change.route) {
            Some(route) => Standing::of(route).command(&change.route),
            None => format!("set `serve = \"{}\"` in `[defaults]` of the routing file", change.before),
        },
    };
    let changes = record.changes.iter().map(changed).collect();
    Applied { revision: record.revision, changes, overridden: false, warnings }
}
