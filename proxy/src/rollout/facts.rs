//! What is known about a route, gathered for the gate of its next step; and the step itself, through the one door.
//!
//! Asks the store, so it may take a while: not on a thread that others wait for.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde::Serialize;

use super::drill::Drills;
use super::gate::{Condition, Drilled, Facts, Proof, judge, missing};
use super::hooks::Hooks;
use super::incident::Incidents;
use super::sights::Sights;
use super::soak::Soaks;
use super::steps::{Stage, digest, edit, stands};
use crate::control::{Applied, Change, Control, Edit, HoldStatus, Preview, Refused, person};
use crate::route::{Plan, Route, Step};
use crate::shadow::Shadow;
use crate::shadow::certificate::{Certificate, SelfTest};
use crate::store::{Action, Record};

/// How far back the last change of a route is looked for.
const PAST: u32 = 50;

/// Judges gates and takes steps.
#[derive(Debug)]
pub struct Gates {
    pub(super) control: Arc<Control>,
    pub(super) incidents: Arc<Incidents>,
    pub(super) shadow: Arc<Shadow>,
    pub(super) sights: Arc<Sights>,
    pub(super) soaks: Soaks,
    pub(super) drills: Drills,
    pub(super) hooks: Arc<Hooks>,
}

/// The gate of a route, as of now.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// The route.
    pub route: String,
    /// The revision that was looked at.
    pub revision: u64,
    /// Where the route stands.
    pub stage: String,
    /// The next step; absent: there is none.
    pub next: Option<String>,
    /// All steps of the plan.
    pub steps: Vec<String>,
    /// Whether every condition holds.
    pub holds: bool,
    /// The conditions of the next step.
    pub conditions: Vec<Condition>,
    /// Whether steps are taken without anybody asking.
    pub auto: bool,
    /// When they are, as written.
    pub hours: Option<String>,
    /// What an approval would be for.
    pub digest: String,
    #[serde(skip)]
    step: Option<(Step, Arc<Route>)>,
}

/// Somebody wants a route one step up.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The route.
    pub route: String,
    /// Who.
    pub author: String,
    /// Why.
    pub reason: Option<String>,
    /// The revision that was looked at.
    pub based_on: Option<u64>,
    /// Whatever the gate says.
    pub skip_gates: bool,
}

/// Why a route was not promoted.
#[derive(Debug, thiserror::Error)]
pub enum NotPromoted {
    /// The change was refused.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// There is no next step.
    #[error("{0}")]
    NoStep(String),
    /// The gate does not hold.
    #[error("{0}")]
    Gate(String),
    /// Whoever is asked before a change said no.
    #[error("{0}")]
    Vetoed(String),
}

impl Gates {
    /// Looks at these.
    pub fn new(
        (control, incidents): (&Arc<Control>, &Arc<Incidents>),
        (shadow, sights): (&Arc<Shadow>, &Arc<Sights>),
        (soaks, drills): (Soaks, Drills),
        hooks: &Arc<Hooks>,
    ) -> Self {
        Self {
            control: Arc::clone(control),
            incidents: Arc::clone(incidents),
            shadow: Arc::clone(shadow),
            sights: Arc::clone(sights),
            soaks,
            drills,
            hooks: Arc::clone(hooks),
        }
    }

    /// Rehearsals of rollbacks.
    pub fn drills(&self) -> &Drills {
        &self.drills
    }

    /// Who is told of changes.
    pub fn hooks(&self) -> &Arc<Hooks> {
        &self.hooks
    }

    /// The gate of a route's next step, for somebody who would take it.
    ///
    /// # Errors
    /// When there is no such route.
    pub fn look(&self, name: &str, who: &str) -> Result<Outlook, Refused> {
        let routing = self.control.live().load();
        let unknown =
            || Refused::UnknownRoute { route: name.to_owned(), near: self.control.nearest_routes(name) };
        let route = Arc::clone(routing.table.route(name).ok_or_else(unknown)?);
        let plan = route.plan.clone().unwrap_or_default();
        let stage = Stage::of(&route);
        let next = stage.next(&plan);
        let certificate = self.shadow.certificate(name);
        // Every node of a fleet numbers its own certificates; what they are about is the same on all of them.
        let number = |one: &Certificate| if self.in_fleet() { 0 } else { one.number };
        let build = |one: &Certificate| (number(one), one.provenance.build.clone());
        let looked = certificate.as_ref().map(build);
        let digest = digest(&route, looked.as_ref().map(|(number, build)| (*number, build.as_deref())));
        let conditions = match next {
            Some(next) => {
                let asked = Asked { stage: &stage, next, plan: &plan, digest: &digest, who };
                judge(&self.facts(&route, &asked, certificate.as_ref()))
            }
            None => Vec::new(),
        };
        Ok(Outlook {
            route: name.to_owned(),
            revision: routing.revision,
            stage: stage.word(&route),
            next: next.map(|step| step.word(&route.candidate)),
            steps: plan.steps.iter().map(|step| step.word(&route.candidate)).collect(),
            holds: next.is_some() && conditions.iter().all(|condition| condition.holds),
            conditions,
            auto: plan.auto,
            hours: plan.hours.map(|hours| hours.text().to_owned()),
            digest,
            step: next.map(|step| (step, route)),
        })
    }

    /// What the step would change.
    ///
    /// # Errors
    /// When it would be refused whatever the gate says.
    pub fn preview(&self, outlook: &Outlook) -> Result<Option<Preview>, Refused> {
        let Some((step, route)) = &outlook.step else { return Ok(None) };
        let change = Change {
            author: String::new(),
            reason: None,
            based_on: Some(outlook.revision),
            edit: edit(route, *step),
        };
        self.control.preview(&change).map(Some)
    }

    /// Takes the next step, if its gate holds or is skipped.
    ///
    /// # Errors
    /// When it is not taken; then nothing has changed.
    pub fn promote(&self, wish: &Wish) -> Result<Applied, NotPromoted> {
        let outlook = self.look(&wish.route, &wish.author)?;
        let Some((step, route)) = &outlook.step else {
            return Err(NotPromoted::NoStep(no_step(&outlook)));
        };
        let missing: Vec<&str> = missing(&outlook.conditions).map(|one| one.name).collect();
        if !missing.is_empty() && !wish.skip_gates {
            let sentences: Vec<String> = super::gate::missing(&outlook.conditions)
                .map(|one| format!("{}: {}", one.name, one.sentence))
                .collect();
            return Err(NotPromoted::Gate(sentences.join("\n")));
        }
        let change = Change {
            author: wish.author.clone(),
            reason: Some(reason(wish, &outlook, &missing)),
            // What was judged must be what is changed.
            based_on: Some(wish.based_on.unwrap_or(outlook.revision)),
            edit: edit(route, *step),
        };
        let preview = self.control.preview(&change)?;
        self.hooks.before(&change, &preview).map_err(NotPromoted::Vetoed)?;
        Ok(self.control.apply(&change)?)
    }

    /// Puts somebody's approval of the next step on record; the step, and what that did.
    ///
    /// # Errors
    /// When there is nothing to approve, or not by this person.
    pub fn approve(&self, wish: &Wish, step: Option<&str>) -> Result<(String, Applied), NotPromoted> {
        let outlook = self.look(&wish.route, &wish.author)?;
        let Some(next) = outlook.next.clone() else {
            return Err(NotPromoted::NoStep(no_step(&outlook)));
        };
        if let Some(step) = step.filter(|step| *step != next) {
            let name = &wish.route;
            return Err(NotPromoted::NoStep(format!("the next step of `{name}` is `{next}`, not `{step}`")));
        }
        let past = self.control.history(Some(&wish.route), PAST);
        let last = last_author(&past).filter(|last| person(last) == person(&wish.author));
        if let Some(last) = last {
            let same = if last == wish.author {
                String::new()
            } else {
                format!(", and `{}` is the same person", wish.author)
            };
            return Err(NotPromoted::NoStep(format!(
                "`{last}` made the last change of `{}`{same}, so somebody else must approve",
                wish.route
            )));
        }
        let edit = Edit::Approve { route: wish.route.clone(), step: next.clone(), digest: outlook.digest };
        let (author, reason) = (wish.author.clone(), wish.reason.clone());
        let based_on = Some(wish.based_on.unwrap_or(outlook.revision));
        Ok((next, self.control.apply(&Change { author, reason, based_on, edit })?))
    }

    /// Asks the webhook whether a change may be made. A rollback asks nobody; what is refused anyway is not asked about.
    ///
    /// # Errors
    /// A sentence, when it must not be made.
    pub fn agreed(&self, change: &Change) -> Result<(), String> {
        if matches!(change.edit, Edit::Rollback { .. }) || !self.hooks.asks() {
            return Ok(());
        }
        match self.control.preview(change) {
            Ok(preview) => self.hooks.before(change, &preview),
            Err(_) => Ok(()),
        }
    }

    fn in_fleet(&self) -> bool {
        self.control.shared_store().is_some()
    }

    fn facts(&self, route: &Route, asked: &Asked<'_>, certificate: Option<&Certificate>) -> Facts {
        let status = self.control.status();
        let hold = status.holds.iter().find(|hold| hold.route == route.name);
        let past = self.control.history(Some(&route.name), PAST);
        Facts {
            backends: (route.candidate.clone(), route.fallback.clone()),
            stage: asked.stage.clone(),
            next: asked.next,
            gate: asked.plan.gate.clone(),
            hold: hold.map(held),
            incident: self.open_incident(route, hold, &past),
            proof: certificate.map(proof),
            served: self.sights.of(route),
            guarded: route.guard.is_some(),
            soaked: self.soaks.soaked(route),
            drill: self.drills.last(&route.name).map(|report| Drilled {
                age: (Utc::now() - report.at).to_std().unwrap_or_default(),
                failure: report.failures.first().cloned(),
                writes: report.writes,
            }),
            writes: writes(route),
            approvals: self.approvals(route, asked, &past),
        }
    }

    /// A guard tripped: its hold is there still, or it could not act and nobody changed the route since.
    fn open_incident(&self, route: &Route, hold: Option<&HoldStatus>, past: &[Record]) -> Option<u64> {
        let last = self.incidents.all().into_iter().rfind(|incident| incident.route == route.name)?;
        let held = hold.is_some_and(|hold| hold.author == "guard");
        let since = past.first().is_some_and(|record| record.at > last.at);
        (held || (last.became.is_none() && !since)).then_some(last.id)
    }

    /// Who approved this step of the route as it is, is not the one who asks, and did not make its last change.
    fn approvals(&self, route: &Route, asked: &Asked<'_>, past: &[Record]) -> Vec<String> {
        let (last, in_fleet) = (last_author(past), self.in_fleet());
        let step = asked.next.word(&route.candidate);
        let counts = |approval: &crate::control::Approval| {
            approval.step == step
                && stands(&approval.digest, asked.digest, in_fleet)
                && person(&approval.author) != person(asked.who)
                && Some(person(&approval.author)) != last.map(person)
        };
        let approvals = self.control.approvals(&route.name);
        approvals.into_iter().filter(counts).map(|approval| approval.author).collect()
    }
}

/// A step of a route that somebody would take.
struct Asked<'a> {
    stage: &'a Stage,
    next: Step,
    plan: &'a Plan,
    digest: &'a str,
    who: &'a str,
}

/// Who made the last change that moved somebody, or is still to be approved.
fn last_author(past: &[Record]) -> Option<&str> {
    let moves = |record: &&Record| {
        let still = [Action::Approve, Action::Hold, Action::Record, Action::Resume, Action::Expire];
        !still.contains(&record.action)
    };
    let people = |record: &&Record| record.author != super::drill::AUTHOR;
    past.iter().filter(people).find(moves).map(|record| record.author.as_str())
}

fn no_step(outlook: &Outlook) -> String {
    let Outlook { route, stage, .. } = outlook;
    match outlook.steps.last() {
        Some(last) if last == stage => format!("`{route}` has taken the last step, `{last}`"),
        _ => format!("`{route}` is at `{stage}`, from where its plan knows no step up"),
    }
}

/// Why, as it goes into the audit: a person's reason with what was skipped; a plan's evidence.
fn reason(wish: &Wish, outlook: &Outlook, missing: &[&str]) -> String {
    let next = outlook.next.as_deref().unwrap_or_default();
    let how = match (wish.author.as_str(), missing) {
        (super::advance::AUTHOR, _) => {
            let evidence: Vec<&str> = outlook.conditions.iter().map(|one| one.sentence.as_str()).collect();
            format!("plan: {} -> {next}: {}", outlook.stage, evidence.join("; "))
        }
        (_, []) => format!("promoted to {next}: every condition holds"),
        (_, missing) => format!("promoted to {next} with GATES SKIPPED: {}", missing.join(", ")),
    };
    match &wish.reason {
        Some(reason) => format!("{reason} ({how})"),
        None => how,
    }
}

fn held(hold: &HoldStatus) -> String {
    let how = if hold.by_rollback { "rolled back and held" } else { "held" };
    let why = hold.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("`{}` was {how} by `{}` at {}{why}", hold.route, hold.author, hold.since.format("%F %T UTC"))
}

fn proof(certificate: &Certificate) -> Proof {
    let doubt = match (&certificate.expired, &certificate.self_test) {
        (Some(expired), _) => Some(format!("the certificate has expired: {}", expired.reason)),
        (None, SelfTest::Never) => Some("comparing this route was not tested yet".to_owned()),
        (None, SelfTest::Failed { why, .. }) => Some(format!("comparing this route does not work: {why}")),
        (None, SelfTest::Passed { .. }) if certificate.rows.different > 0 => Some(format!(
            "{} of {} writes changed other rows",
            certificate.rows.different, certificate.rows.compared
        )),
        (None, SelfTest::Passed { .. }) => None,
    };
    let p95 = |latency: &crate::shadow::certificate::Latency| Duration::from_micros(latency.p95);
    Proof {
        doubt,
        comparisons: certificate.comparisons,
        mismatches: certificate.mismatches,
        bound: certificate.overall_bound,
        unanswered: certificate.uncounted.unanswered,
        p95: certificate.candidate.as_ref().map(p95).zip(certificate.reference.as_ref().map(p95)),
        known_heads: certificate.provenance.known_heads.clone(),
        head: certificate.provenance.head.clone(),
    }
}

/// Whether a route takes requests that change something.
pub(super) fn writes(route: &Route) -> bool {
    let safe = |method: &String| matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS");
    route.methods.as_ref().is_some_and(|methods| !methods.iter().all(safe))
}
