//! A node looks at what holds for the fleet, and follows; or brings together what it did alone with what the others did.

use chrono::{DateTime, Utc};

use crate::diagnostic::{Report, Source};
use crate::route::{Context, Table, read};
use crate::store::{Action, Away, Publication, Published, Record, Shared, Since, step as mark};

use super::super::apply::{snapshot, take_on};
use super::super::pins::{Pins, recorded};
use super::super::plan::Next;
use super::super::state::InFleet;
use super::super::{Control, Running, file};
use super::merge::{Own, Side, Step, at_most, merge, step};

/// Somebody else may be faster so many times.
const ATTEMPTS: usize = 8;

/// What this node was when it asked.
struct Asked {
    revision: u64,
    synced: Option<(u64, String)>,
    apart: bool,
    blind: bool,
    last: Option<DateTime<Utc>>,
    hash: String,
}

/// What the store said.
#[derive(Default)]
struct Told {
    head: Option<Published>,
    /// The store has the revision that this node ran last.
    known: bool,
    /// That revision, if it takes part in a merge.
    from: Option<Published>,
    /// The digest of what this node thought nobody had heard of.
    became: Option<String>,
    /// The file of a node that remembers nothing is one of the fleet's, and nobody's edit.
    file_known: bool,
}

/// A text of the fleet, as this node reads it.
struct Read {
    base: Table,
    pins: Pins,
    report: Report,
}

impl Control {
    /// Looks at the shared store once, and does what follows; the store is waited for without holding anybody up.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn catch_up(&self) -> Result<(), Away> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        let outcome = self.catch_up_with(&fleet.shared);
        fleet.heard(&outcome);
        if outcome.is_ok() {
            // An edit of the file that had to wait for the store is looked at again.
            let mut running = self.lock();
            if running.reload.failure.as_ref().is_some_and(|failure| failure.waits) {
                running.reload.failure = None;
            }
        }
        outcome
    }

    fn catch_up_with(&self, shared: &Shared) -> Result<(), Away> {
        for _ in 0..ATTEMPTS {
            let asked = self.asked();
            let Some(told) = ask(shared, &asked)? else { return Ok(()) };
            let Some(mut running) = self.lock_to_change() else { return Ok(()) };
            if Asked::of(&running).differs(&asked) {
                continue;
            }
            if let (Some(digest), Some(known)) = (&told.became, running.state.fleet.as_mut()) {
                *known =
                    InFleet { number: asked.revision, digest: digest.clone(), apart: false, ..known.clone() };
                continue;
            }
            if !told.file_known && told.head.is_some() {
                // It is somebody's, and will be kept.
                running.hash.clear();
            }
            if self.settle_with(shared, &mut running, &told)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn asked(&self) -> Asked {
        Asked::of(&self.lock())
    }

    /// Whether that is all there is to do.
    fn settle_with(&self, shared: &Shared, running: &mut Running, told: &Told) -> Result<bool, Away> {
        let synced = running.state.fleet.as_ref().map(|known| (known.number, known.digest.clone()));
        let own = Own {
            synced: synced.as_ref().map(|(number, digest)| (*number, digest.as_str())),
            apart: running.state.fleet.as_ref().is_some_and(|known| known.apart),
            blind: running.blind,
        };
        let head = told.head.as_ref().map(|head| (head.record.revision, head.digest.as_str()));
        match (step(&own, head, told.known), &told.head) {
            (Step::Stay, _) => Ok(true),
            (Step::Follow, Some(head)) => {
                self.run_head(running, head);
                Ok(true)
            }
            (Step::Meet { from }, Some(head)) => {
                let from = told.from.as_ref().filter(|_| from);
                self.meet(shared, running, head, from)
            }
            _ => self.found(shared, running),
        }
    }

    /// The store knows nothing: what this node has holds for everybody.
    fn found(&self, shared: &Shared, running: &mut Running) -> Result<bool, Away> {
        if running.state.text.is_empty() {
            return Ok(true);
        }
        let reason = (!running.blind).then(|| "the shared store was empty".to_owned());
        let base = running.base.clone();
        let record = Record {
            revision: running.state.revision + 1,
            at: super::super::moment(),
            author: if running.blind { "file" } else { "fleet" }.to_owned(),
            reason,
            action: if running.blind { Action::File } else { Action::Merge },
            changes: Vec::new(),
            hash: file::hash(&running.state.text),
            text: Some(running.state.text.clone()),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&running.state.pins),
        };
        let read = Read { base, pins: running.state.pins.clone(), report: running.warnings.clone() };
        self.make(shared, running, (record, read), None)
    }

    /// Both have something that the other one lacks.
    fn meet(
        &self,
        shared: &Shared,
        running: &mut Running,
        head: &Published,
        from: Option<&Published>,
    ) -> Result<bool, Away> {
        let lenient = Context { backends: None, ..self.context.clone() };
        let (Some(theirs), from) =
            (understand(head, &lenient), from.map(|from| (from, understand(from, &lenient))))
        else {
            self.cannot_run(running, head, &Report::default());
            return Ok(true);
        };
        let from_side = match &from {
            Some((from, Some(read))) => Some(side(from, read)),
            _ => None,
        };
        let own = own(running);
        let (text, pins) = merge(from_side, own, side(head, &theirs), &lenient, super::super::moment());
        if Some(&text) == head.record.text.as_ref()
            && pins == theirs.pins
            && head.record.revision >= running.state.revision
        {
            self.run_head(running, head);
            return Ok(true);
        }
        let (Some(base), report) = read(&Source::new("merged", text.as_str()), &self.context) else {
            self.cannot_run(running, head, &Report::default());
            return Ok(true);
        };
        let why = if from_side.is_some() {
            "was cut off"
        } else {
            "and the shared store remembered different things"
        };
        let record = Record {
            revision: head.record.revision.max(running.state.revision) + 1,
            at: super::super::moment(),
            author: "fleet".to_owned(),
            reason: Some(format!(
                "{} {why}: what it had taken away from a candidate stays away",
                shared.node()
            )),
            action: Action::Merge,
            changes: recorded((&theirs.base, &theirs.pins), (&base, &pins)),
            hash: file::hash(&text),
            text: Some(text),
            undoes: None,
            node: None,
            cut_off: false,
            pins: snapshot(&pins),
        };
        self.make(shared, running, (record, Read { base, pins, report }), Some(head))
    }

    /// Makes a revision for everybody, and runs it.
    fn make(
        &self,
        shared: &Shared,
        running: &mut Running,
        (record, read): (Record, Read),
        on: Option<&Published>,
    ) -> Result<bool, Away> {
        let on = on.map(|head| (head.record.revision, head.digest.as_str()));
        match shared.publish(&record, on) {
            Publication::Made(digest) => {
                let number = record.revision;
                tracing::warn!(revision = number, changes = ?record.changes, "brought together with the fleet");
                self.hold_now(running, (record, read), (number, digest));
                Ok(true)
            }
            Publication::Behind => Ok(false),
            Publication::Away(why) | Publication::Unsure(why) => Err(Away(why)),
        }
    }

    /// Runs what the fleet runs.
    fn run_head(&self, running: &mut Running, head: &Published) {
        let text = head.record.text.clone().unwrap_or_default();
        let name = format!("revision {} of the fleet", head.record.revision);
        let (table, report) = read(&Source::new(name, text.as_str()), &self.context);
        let Some(base) = table.filter(|_| head.record.text.is_some()) else {
            self.cannot_run(running, head, &report);
            return;
        };
        let pins: Pins = pins_of(head);
        let mut record = head.record.clone();
        record.changes = recorded((&running.base, &running.state.pins), (&base, &pins));
        let known = (record.revision, head.digest.clone());
        self.hold_now(running, (record, Read { base, pins, report }), known);
    }

    /// From now on this holds here: first for requests, then on disk.
    fn hold_now(
        &self,
        running: &mut Running,
        (record, read): (Record, Read),
        (number, digest): (u64, String),
    ) {
        let before = running.hash.clone();
        let text = record.text.clone().unwrap_or_default();
        let next = Next { text, base: read.base, warnings: read.report, pins: read.pins, safe: false };
        take_on(running, next, &record);
        running.blind = false;
        let known = running.state.fleet.take().unwrap_or_default();
        running.state.fleet = Some(InFleet { number, digest, apart: false, ..known });
        self.swap(running);
        mark("swapped");
        if let Some(fleet) = &self.fleet {
            fleet.trouble(None);
        }
        running.reload.last_success = Some(Utc::now());
        self.put_on_disk(running, &before);
        let _ = self.save(running);
        mark("saved");
        tracing::info!(revision = record.revision, changes = ?record.changes, author = record.author, "the fleet's routing holds here");
        self.recorder.confirm(record);
    }

    /// What the fleet runs makes no sense here, such as a backend that this node does not have. What was taken away from a
    /// candidate is taken away here, too; everything else stays.
    fn cannot_run(&self, running: &mut Running, head: &Published, report: &Report) {
        let why = report
            .findings()
            .first()
            .map_or_else(|| "its text is not kept".to_owned(), |first| first.message().to_owned());
        let message = format!("revision {} of the fleet cannot be run here: {why}", head.record.revision);
        if let Some(fleet) = &self.fleet
            && fleet.trouble(Some(&message))
        {
            tracing::error!("{message}\n{}", report.render(false));
        }
        let lenient = Context { backends: None, ..self.context.clone() };
        let Some(theirs) = understand(head, &lenient) else { return };
        let pins = at_most(own(running), side(head, &theirs), super::super::moment());
        if pins != running.state.pins {
            running.state.pins = pins;
            self.swap(running);
            let _ = self.save(running);
        }
    }
}

impl Asked {
    fn of(running: &Running) -> Self {
        let known = running.state.fleet.as_ref();
        Self {
            revision: running.state.revision,
            synced: known.map(|known| (known.number, known.digest.clone())),
            apart: known.is_some_and(|known| known.apart),
            blind: running.blind,
            last: running.state.last.as_ref().map(|last| last.at),
            hash: running.hash.clone(),
        }
    }

    fn differs(&self, other: &Self) -> bool {
        (self.revision, &self.synced, self.apart) != (other.revision, &other.synced, other.apart)
    }
}

/// What there is to know; `None`: nothing has changed. A node that is with its fleet asks once, so that a flip of somebody
/// else holds here as soon as can be.
fn ask(shared: &Shared, asked: &Asked) -> Result<Option<Told>, Away> {
    if let (Some((number, digest)), false) = (&asked.synced, asked.apart || asked.blind) {
        return Ok(match shared.since(*number, digest)? {
            Since::Same => None,
            Since::Nothing => Some(Told { file_known: true, ..Told::default() }),
            Since::Other { head, known } => {
                Some(Told { head: Some(*head), known, file_known: true, ..Told::default() })
            }
        });
    }
    let head = shared.head()?;
    let from = match &asked.synced {
        Some((number, digest)) => shared.known(*number, digest)?,
        None => None,
    };
    let became = match asked.last.filter(|_| asked.apart) {
        Some(at) => shared.became(asked.revision, at)?,
        None => None,
    };
    let file_known = !asked.blind || shared.has_file(&asked.hash)?;
    Ok(Some(Told { head, known: from.is_some(), from, became, file_known }))
}

fn own(running: &Running) -> Side<'_> {
    Side { text: &running.state.text, base: &running.base, pins: &running.state.pins }
}

fn side<'a>(published: &'a Published, read: &'a Read) -> Side<'a> {
    Side { text: published.record.text.as_deref().unwrap_or_default(), base: &read.base, pins: &read.pins }
}

fn pins_of(published: &Published) -> Pins {
    serde_json::from_value(published.record.pins.clone()).unwrap_or_default()
}

fn understand(published: &Published, context: &Context) -> Option<Read> {
    let text = published.record.text.as_deref()?;
    let (base, report) = read(&Source::new("fleet", text), context);
    Some(Read { base: base?, pins: pins_of(published), report })
}
