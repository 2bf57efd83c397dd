//! A change in a fleet: it holds when the shared store has taken it. One that sends nobody to a candidate holds here at
//! once, and also while the store is away.

use std::time::Instant;

use crate::route::Routing;
use crate::store::{Away, Publication, Record, step};

use super::super::apply::{Wanted, applied, check_revision, hold_what_moves, nothing, safe_edits, take_on};
use super::super::change::{Applied, Change, Changed, Edit, Refused, Took, micros};
use super::super::plan::{Next, Wish, changed, hold};
use super::super::state::InFleet;
use super::super::{Control, Reloaded, Running};
use super::Fleet;

/// Somebody else may be faster so many times.
const ATTEMPTS: usize = 8;

/// What is said of a change that nobody else has heard of.
const APART: &str =
    "the shared store cannot be reached: this holds on this node; the others hear of it when it can";

impl Control {
    pub(in crate::control) fn apply_in_fleet(
        &self,
        fleet: &Fleet,
        change: &Change,
    ) -> Result<Applied, Refused> {
        let began = Instant::now();
        let (change, past) = self.with_past(change);
        let waits = {
            let running = self.lock();
            running.blind || running.state.fleet.as_ref().is_none_or(|known| known.apart)
        };
        if waits && !is_safe(&change.edit) {
            let _ = self.catch_up();
        }
        let mut looked = None;
        for _ in 0..ATTEMPTS {
            let mut running = self.lock_to_change().ok_or(Refused::Moved)?;
            let path = self.path.clone().ok_or(Refused::NoFile)?;
            if running.blind {
                return blind(&change, &running);
            }
            let safe = safe_edits(&running, &change)?.is_some();
            let disk = self.look(&path, &mut running);
            check_revision(&change, &running)?;
            let now = super::super::moment();
            let wish = Wish { change: &change, past: past.as_ref(), now };
            // A file that is bad here is none of the fleet's business when it is about safety.
            let disk = if safe { Reloaded::Unchanged } else { disk };
            let mut next = self.attempt(&running, &disk, &wish)?;
            if let Edit::Rollback { .. } = change.edit {
                hold_what_moves(&running, &mut next, &change, now);
            }
            let only_told = matches!(change.edit, Edit::Record { .. });
            if !only_told && is_nothing(&running, &next) {
                match &looked {
                    // This node may be behind: that there is nothing to do is said only after a look.
                    None => {
                        drop(running);
                        looked = Some(self.catch_up());
                        continue;
                    }
                    Some(Ok(())) => return Ok(nothing(&running)),
                    Some(Err(away)) => {
                        if !hold_anyway(&running, &mut next, &change, now) {
                            let warnings = vec![unseen(away)];
                            return Ok(Applied { warnings, ..nothing(&running) });
                        }
                    }
                }
            }
            match self.commit_in_fleet(fleet, &mut running, next, Wanted { change: &change, now, began }) {
                Err(Refused::Overtaken) => {
                    // Requests may have seen what did not come to be.
                    self.swap(&running);
                    drop(running);
                    self.catch_up().map_err(|away| Refused::CutOff(away.0))?;
                }
                done => return done,
            }
        }
        Err(Refused::Overtaken)
    }

    /// What sends nobody to a candidate holds here at once, everything else when the shared store has it: there it is on
    /// record, durably. What nobody else has heard of is put on record here before it is there to stay.
    fn commit_in_fleet(
        &self,
        fleet: &Fleet,
        running: &mut Running,
        next: Next,
        wanted: Wanted<'_>,
    ) -> Result<Applied, Refused> {
        let before = running.effective();
        let after = next.pins.over(&next.base);
        let changes = changed(&before, &after);
        let record = self.record(running, &next, wanted);
        let (mut took, safe) = (Took::default(), next.safe);
        if safe {
            // Nobody waits for a store on the way to safety.
            self.live.store(Routing { revision: record.revision, table: after });
            took.swapped_us = micros(wanted.began);
        }
        let alone = may_be_alone(running, &next, &changes, Some(&wanted.change.edit));
        let known = self.offer_record(fleet, running, &record, alone)?;
        took.published_us = micros(wanted.began);
        let mut done = applied(running, &next, changes, &record);
        done.held = held_anew(running, &next);
        let on_disk = running.hash.clone();
        take_on(running, next, &record);
        if known.apart {
            done.warnings.push(APART.to_owned());
        }
        running.state.fleet = Some(known);
        self.swap(running);
        if !safe {
            took.swapped_us = micros(wanted.began);
        }
        step("swapped");
        done.warnings.extend(self.put_on_record(&record, false)?);
        done.warnings.extend(self.put_on_disk(running, &on_disk));
        done.warnings.extend(self.save(running).err());
        step("saved");
        took.durable_us = micros(wanted.began);
        done.took = took;
        self.hand_over_to_audit(record);
        Ok(done)
    }

    /// Asks the store to take a record as the next revision; what this node is in the fleet then. Without the store it
    /// may hold here `alone`.
    pub(in crate::control) fn offer_record(
        &self,
        fleet: &Fleet,
        running: &Running,
        record: &Record,
        alone: bool,
    ) -> Result<InFleet, Refused> {
        let known = running.state.fleet.clone().unwrap_or_default();
        let synced = running.state.fleet.as_ref().filter(|known| !known.apart);
        let publication = match synced {
            Some(known) => fleet.shared.publish(record, Some((known.number, known.digest.as_str()))),
            None => {
                Publication::Away("this node has not been brought together with the fleet yet".to_owned())
            }
        };
        match publication {
            Publication::Made(digest) => {
                fleet.heard(&Ok::<(), Away>(()));
                Ok(InFleet { number: record.revision, digest, apart: false, ..known })
            }
            Publication::Behind => Err(Refused::Overtaken),
            Publication::Away(why) | Publication::Unsure(why) if alone => {
                fleet.heard(&Err::<(), _>(Away(why)));
                Ok(InFleet { apart: true, ..known })
            }
            Publication::Away(why) => Err(Refused::CutOff(why)),
            Publication::Unsure(why) => Err(Refused::Unsure { revision: record.revision, why }),
        }
    }
}

/// Whether a change may be made while nobody hears of it: nobody is sent to a candidate by it, and nothing that is held is
/// let go.
pub(super) fn may_be_alone(running: &Running, next: &Next, changes: &[Changed], edit: Option<&Edit>) -> bool {
    let kind = match edit {
        None => true,
        Some(edit) => {
            matches!(
                edit,
                Edit::Rollback { .. } | Edit::Hold { .. } | Edit::Flip { .. } | Edit::Canary { .. }
            )
        }
    };
    let keeps_holds = running.state.pins.holds.keys().all(|name| next.pins.holds.contains_key(name));
    kind && keeps_holds && changes.iter().all(|change| !change.more)
}

/// Whether a change would leave everything as it is.
fn is_nothing(running: &Running, next: &Next) -> bool {
    let pins = next.pins == running.state.pins && next.text == running.state.text;
    pins && changed(&running.effective(), &next.pins.over(&next.base)).is_empty()
}

/// Somebody rolls a route back that has nobody on a candidate here, and what the others send there cannot be seen: it is
/// held, so that it goes back there as soon as they hear of it. Whether that is so.
fn hold_anyway(
    running: &Running,
    next: &mut Next,
    change: &Change,
    now: chrono::DateTime<chrono::Utc>,
) -> bool {
    let Edit::Rollback { route: Some(route), lasts } = &change.edit else { return false };
    let off = running.base.route(route).is_some_and(|route| super::super::serve_word(&route.serve) == "off");
    if !off {
        next.pins.holds.insert(route.clone(), hold(change, true, (now, *lasts)));
    }
    !off
}

/// Routes that are held by this change, also where they were held before.
fn held_anew(running: &Running, next: &Next) -> Vec<String> {
    let before = &running.state.pins.holds;
    let new = next.pins.holds.iter().filter(|(name, hold)| before.get(*name) != Some(*hold));
    new.map(|(name, _)| name.clone()).collect()
}

fn unseen(away: &Away) -> String {
    format!("nothing was to be done on this node; what the others do cannot be seen: {away}")
}

/// A node that remembers nothing and has not heard the fleet gives nothing to candidates; there is nothing to take away.
fn blind(change: &Change, running: &Running) -> Result<Applied, Refused> {
    if is_safe(&change.edit) {
        let warning = "this node remembers nothing and has not heard its fleet: nobody is sent to a candidate here, and \
                       what is said here now is not remembered; say it on another node, or again when the store is back";
        return Ok(Applied { warnings: vec![warning.to_owned()], ..nothing(running) });
    }
    Err(Refused::CutOff("this node remembers nothing and has not heard the fleet yet".to_owned()))
}

fn is_safe(edit: &Edit) -> bool {
    matches!(edit, Edit::Rollback { .. } | Edit::Hold { .. })
}
