//! What came of a replay, for people and for programs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Step;
use crate::cli::{screen, twin};

/// Most masks that are named.
const NAMED: usize = 8;

pub(super) fn report(steps: &[Step], masks: &BTreeSet<String>) -> String {
    let mut text = String::new();
    for step in steps {
        let word = if step.differs() { screen::bad("differ") } else { "agree".to_owned() };
        text.push_str(&format!("{word}  {}: {}\n", step.session, step.title));
        match &step.result {
            Ok(comparison) => {
                comparison
                    .differences
                    .iter()
                    .take(8)
                    .for_each(|difference| text.push_str(&twin::lines(difference)));
                if let Some(why) = comparison.incomparable {
                    text.push_str(&format!("    not comparable: {}\n", why.word()));
                }
            }
            Err(error) => text.push_str(&format!("    {error}\n")),
        }
    }
    let differ = steps.iter().filter(|step| step.differs()).count();
    let compared = steps.iter().filter(|step| step.compared).count();
    let sessions: BTreeSet<&str> = steps.iter().map(|step| step.session.as_str()).collect();
    text.push_str(&format!(
        "{} requests in {} sessions, {compared} compared with a recorded answer: {} agree, {differ} differ\n",
        steps.len(),
        sessions.len(),
        steps.len() - differ,
    ));
    if differ > 0 && !masks.is_empty() {
        let named: Vec<String> = masks.iter().take(NAMED).map(|mask| format!("`{mask}`")).collect();
        let more = if masks.len() > NAMED { ", .." } else { "" };
        text.push_str(&format!(
            "{} words that people typed in were sent as masks: {}{more}; --values FILE says what to send for them\n",
            masks.len(),
            named.join(", "),
        ));
    }
    text
}

pub(super) fn document(steps: &[Step], masks: &BTreeSet<String>) -> Value {
    let mut routes: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for step in steps.iter().filter(|step| step.compared) {
        let tally = routes.entry(step.route.as_deref().unwrap_or_default()).or_default();
        *(if step.differs() { &mut tally.1 } else { &mut tally.0 }) += 1;
    }
    let shown = |step: &Step| {
        let (result, differences) = match &step.result {
            Ok(comparison) => {
                let paths: Vec<String> =
                    comparison.differences.iter().map(|found| found.path.text()).collect();
                (comparison.verdict.word().to_owned(), paths)
            }
            Err(error) => (error.clone(), Vec::new()),
        };
        json!({
            "session": step.session, "title": step.title, "route": step.route, "differs": step.differs(),
            "result": result, "differences": differences,
        })
    };
    let routes: BTreeMap<&str, Value> = routes
        .into_iter()
        .map(|(name, (agree, differ))| (name, json!({ "agree": agree, "differ": differ })))
        .collect();
    let steps: Vec<Value> = steps.iter().map(shown).collect();
    json!({ "schema": 1, "routes": routes, "steps": steps, "masks": masks })
}
