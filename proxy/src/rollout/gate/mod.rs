//! The gate of a step: named conditions, each of which holds or does not, and says so in one sentence. Pure.
//!
//! What is known comes in as [`Facts`] (gathered in `facts`); thresholds come from the route's plan. What is not known never
//! holds.

use std::time::Duration;

use serde::Serialize;

use super::steps::Stage;
use crate::route::{Gate, Step};

/// Faster than this nobody notices a difference.
const UNNOTICED: Duration = Duration::from_millis(10);

/// What is known about a route whose next step is judged.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// The backend being tried, and the one that is safe.
    pub backends: (String, String),
    /// Where the route stands.
    pub stage: Stage,
    /// The step that is asked for.
    pub next: Step,
    /// What it needs.
    pub gate: Gate,
    /// Who holds the route and why, in a sentence.
    pub hold: Option<String>,
    /// A guard tripped, and nobody resumed the route since: the number of the incident.
    pub incident: Option<u64>,
    /// What comparisons prove; absent: there are none.
    pub proof: Option<Proof>,
    /// What the guard saw at this step; absent: nothing yet.
    pub served: Option<Served>,
    /// Whether the route has a guard.
    pub guarded: bool,
    /// Time at the present step.
    pub soaked: Duration,
    /// The last rehearsal of a rollback.
    pub drill: Option<Drilled>,
    /// Whether the route takes requests that change something.
    pub writes: bool,
    /// People who approved, and count.
    pub approvals: Vec<String>,
}

/// What comparisons prove.
#[derive(Debug, Clone, Default)]
pub(super) struct Proof {
    /// What stands in the way of believing it, if anything does.
    pub doubt: Option<String>,
    /// Comparisons.
    pub comparisons: u64,
    /// Of these, different.
    pub mismatches: u64,
    /// With 95 % certainty at most this share differs.
    pub bound: f64,
    /// Copies that the candidate did not answer.
    pub unanswered: u64,
    /// 95th percentiles of candidate and fallback.
    pub p95: Option<(Duration, Duration)>,
    /// The schema heads that the handlers know.
    pub known_heads: Vec<String>,
    /// The schema head of the database.
    pub head: Option<String>,
}

/// What a guard saw.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Served {
    /// Requests of the candidate at this step, and how many of them failed.
    pub candidate: (u64, u64),
    /// The same of the fallback.
    pub fallback: (u64, u64),
    /// 95th percentiles of candidate and fallback.
    pub p95: (Option<Duration>, Option<Duration>),
}

/// A rehearsal.
#[derive(Debug, Clone)]
pub(super) struct Drilled {
    /// How long ago.
    pub age: Duration,
    /// Why it failed; absent: it did not.
    pub failure: Option<String>,
    /// Requests that changed something through the candidate, and were read back by the fallback.
    pub writes: u64,
}

/// One condition of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What is known, in one sentence.
    pub sentence: String,
}

type Judged = Result<String, String>;

/// Judges every condition of the next step, in a fixed order.
pub(super) fn judge(facts: &Facts) -> Vec<Condition> {
    let mut judged: Vec<(&'static str, Judged)> = vec![("hold", hold(facts)), ("incident", incident(facts))];
    if facts.next != Step::Shadow {
        judged.push(("guard", guard(facts)));
        judged.extend((facts.gate.comparisons > 0).then(|| ("certificate", certificate(facts))));
        judged.push(("errors", errors(facts)));
        judged.push(("latency", latency(facts)));
        judged.extend(facts.gate.schema.then(|| ("schema", schema(facts))));
        judged.extend(facts.gate.drill.map(|within| ("drill", drill(facts, within))));
    }
    if facts.stage != Stage::Before {
        judged.push(("soak", soak(facts)));
    }
    judged.extend((facts.gate.approvals > 0).then(|| ("approvals", approvals(facts))));
    let condition = |(name, judged): (&'static str, Judged)| {
        let holds = judged.is_ok();
        Condition { name, holds, sentence: judged.unwrap_or_else(|sentence| sentence) }
    };
    judged.into_iter().map(condition).collect()
}

/// The conditions that do not hold.
pub(super) fn missing(conditions: &[Condition]) -> impl Iterator<Item = &Condition> {
    conditions.iter().filter(|condition| !condition.holds)
}

fn hold(facts: &Facts) -> Judged {
    facts.hold.clone().map_or_else(|| Ok("nobody holds the route".to_owned()), Err)
}

fn incident(facts: &Facts) -> Judged {
    match facts.incident {
        None => Ok("no incident is open".to_owned()),
        Some(id) => {
            Err(format!("incident {id} is open: look at `ficus incident {id}`, then resume the route"))
        }
    }
}

fn guard(facts: &Facts) -> Judged {
    match facts.guarded {
        true => Ok("a guard rolls the route back if it must".to_owned()),
        false => {
            Err("the route has no guard that could roll it back: write `guard = {}` into its entry"
                .to_owned())
        }
    }
}

fn certificate(facts: &Facts) -> Judged {
    let gate = &facts.gate;
    let Some(proof) = &facts.proof else {
        return Err(format!("nothing was compared yet, and {} comparisons are needed", gate.comparisons));
    };
    if let Some(doubt) = &proof.doubt {
        return Err(doubt.clone());
    }
    let counted = format!("{} of {} answers differ", proof.mismatches, proof.comparisons);
    if proof.comparisons < gate.comparisons {
        return Err(format!("{counted}, and {} comparisons are needed", gate.comparisons));
    }
    let (bound, most) = (percent(proof.bound), percent(gate.max_mismatch));
    match proof.bound <= gate.max_mismatch {
        true => Ok(format!("{counted}: at most {bound} do, and {most} may")),
        false => Err(format!("{counted}: up to {bound} may do so, and {most} is the limit")),
    }
}

/// Whether the candidate has users at the present step.
fn has_users(facts: &Facts) -> bool {
    matches!(facts.stage, Stage::At(Step::Share(_) | Step::Candidate))
}

fn errors(facts: &Facts) -> Judged {
    let (candidate, fallback) = &facts.backends;
    let allowed = facts.gate.max_error_ratio;
    if !has_users(facts) {
        let Some(proof) = facts.proof.as_ref().filter(|proof| proof.comparisons + proof.unanswered > 0)
        else {
            return match facts.gate.comparisons {
                0 => Ok(format!("`{candidate}` was not asked yet, and need not have been")),
                _ => Err(format!("`{candidate}` was not asked yet")),
            };
        };
        let all = proof.comparisons + proof.unanswered;
        let text = format!("`{candidate}` did not answer {} of {all} copies", proof.unanswered);
        return if ratio(proof.unanswered, all) <= allowed { Ok(text) } else { Err(text) };
    }
    let served = facts.served.unwrap_or_default();
    let ((requests, failed), (others, others_failed)) = (served.candidate, served.fallback);
    let text = format!(
        "`{candidate}` failed in {failed} of {requests} requests at this step, `{fallback}` in {others_failed} of {others}"
    );
    if requests < facts.gate.min_requests {
        return Err(format!("{text}, and {} are needed", facts.gate.min_requests));
    }
    let most = ratio(others_failed, others) + allowed;
    if ratio(failed, requests) <= most { Ok(text) } else { Err(text) }
}

fn latency(facts: &Facts) -> Judged {
    let (candidate, fallback) = &facts.backends;
    let compared = facts.proof.as_ref().and_then(|proof| proof.p95);
    let known = if has_users(facts) {
        let served = facts.served.unwrap_or_default();
        let usual = served.p95.1.or(compared.map(|(_, usual)| usual));
        served.p95.0.zip(usual)
    } else if facts.gate.comparisons == 0 {
        return Ok(format!("`{candidate}` was not measured yet, and need not have been"));
    } else {
        compared
    };
    let Some((new, usual)) = known else {
        if has_users(facts) && facts.gate.min_requests == 0 {
            return Ok("no request of this step was measured, and none needs to be".to_owned());
        }
        return Err(format!("too little is known of how long `{candidate}` and `{fallback}` take"));
    };
    let text = format!(
        "95 % of the answers of `{candidate}` take at most {}, of `{fallback}` {}",
        milliseconds(new),
        milliseconds(usual)
    );
    let most = usual.mul_f64(facts.gate.max_p95_ratio).max(usual + UNNOTICED);
    if new <= most {
        Ok(text)
    } else {
        Err(format!("{text}: {} times as long is the limit", facts.gate.max_p95_ratio))
    }
}

fn schema(facts: &Facts) -> Judged {
    let no_database = "write `schema = false` into the plan if there is no database";
    let Some(proof) = &facts.proof else {
        return Err(format!("the schema that the handlers know is not known: {no_database}"));
    };
    match &proof.head {
        None => Err(format!("the schema of the database is not known: {no_database}")),
        Some(head) if proof.known_heads.contains(head) => {
            Ok(format!("the handlers know the schema `{head}` of the database"))
        }
        Some(head) => {
            Err(format!("the handlers do not say that they know the schema `{head}` of the database"))
        }
    }
}

fn drill(facts: &Facts, within: Duration) -> Judged {
    let Some(drill) = &facts.drill else {
        return Err("no rollback was rehearsed yet: `ficus drill` does".to_owned());
    };
    let ago = time(drill.age);
    match &drill.failure {
        Some(failure) => Err(format!("the rehearsal of a rollback {ago} ago failed: {failure}")),
        None if drill.age > within => {
            Err(format!("the last rehearsal of a rollback was {ago} ago, and {} is the limit", time(within)))
        }
        None if facts.writes && drill.writes == 0 => Err(format!(
            "the rehearsal {ago} ago wrote nothing, and this route writes: `ficus drill --journey FILE` does"
        )),
        None => Ok(format!("a rollback was rehearsed {ago} ago")),
    }
}

fn soak(facts: &Facts) -> Judged {
    let (soaked, needed) = (time(facts.soaked), time(facts.gate.soak));
    match facts.soaked >= facts.gate.soak {
        true => Ok(format!("the route has been at this step for {soaked}, and {needed} are enough")),
        false => Err(format!("the route has been at this step for {soaked}, and {needed} are needed")),
    }
}

fn approvals(facts: &Facts) -> Judged {
    let (given, needed) = (facts.approvals.len() as u64, facts.gate.approvals);
    let who = if given == 0 { String::new() } else { format!(" (by {})", facts.approvals.join(", ")) };
    let text = format!("{given} of {needed} approvals{who}");
    match given >= needed {
        true => Ok(text),
        false => Err(format!("{text}: `ficus approve`, by somebody who did not make the last change")),
    }
}

fn ratio(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { part as f64 / all as f64 }
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// `45 s`, `30 min`, `5 h`, `30 days`.
pub(super) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
