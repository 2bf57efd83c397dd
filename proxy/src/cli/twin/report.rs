//! What `ficus twin` found, for people and for programs.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Outcome;
use crate::cli::screen;
use crate::shadow::compare::Difference;

/// Most differences of one answer that are printed.
const SHOWN: usize = 8;

/// `- left` and `+ right` of a difference.
pub(in crate::cli) fn lines(difference: &Difference) -> String {
    let mut text = format!("    {} {}\n", difference.path.text(), difference.kind.word());
    for (sign, value) in [("-", &difference.reference), ("+", &difference.candidate)] {
        if let Some(value) = value {
            text.push_str(&format!("      {sign} {value}\n"));
        }
    }
    text
}

/// What people read.
pub(super) fn report(outcome: &Outcome) -> String {
    let mut text = String::new();
    for step in &outcome.steps {
        let word = if step.differs() { screen::bad("differ") } else { "agree".to_owned() };
        text.push_str(&format!("{word}  {}: {}\n", step.session, step.title));
        match &step.comparison {
            Ok(comparison) => {
                comparison
                    .differences
                    .iter()
                    .take(SHOWN)
                    .for_each(|difference| text.push_str(&lines(difference)));
                if let Some(why) = comparison.incomparable {
                    text.push_str(&format!("    not comparable: {}\n", why.word()));
                }
            }
            Err(error) => text.push_str(&format!("    {error}\n")),
        }
    }
    let rows = &outcome.rows;
    for difference in &rows.differences {
        text.push_str(&format!("{}  tables\n{}", screen::bad("differ"), lines(difference)));
    }
    let differing = outcome.steps.iter().filter(|step| step.differs()).count();
    text.push_str(&format!(
        "{} steps, {differing} differ; {} tables, {} changes, {} differ{}\n",
        outcome.steps.len(),
        outcome.tables,
        rows.rows,
        rows.differences.len() + rows.more,
        allowed(&rows.ignored),
    ));
    text
}

fn allowed(ignored: &BTreeMap<String, u64>) -> String {
    if ignored.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = ignored.iter().map(|(rule, times)| format!("{rule} {times}")).collect();
    format!(" (allowed: {})", parts.join(", "))
}

/// What programs read.
pub(super) fn document(outcome: &Outcome) -> Value {
    let shown = |difference: &Difference| {
        json!({
            "path": difference.path.text(),
            "kind": difference.kind.word(),
            "left": difference.reference,
            "right": difference.candidate,
        })
    };
    let steps: Vec<Value> = outcome
        .steps
        .iter()
        .map(|step| {
            let (result, differences) = match &step.comparison {
                Ok(comparison) => {
                    (comparison.verdict.word().to_owned(), comparison.differences.iter().map(shown).collect())
                }
                Err(error) => (error.clone(), Vec::new()),
            };
            json!({
                "session": step.session, "title": step.title, "differs": step.differs(), "result": result,
                "differences": differences,
            })
        })
        .collect();
    json!({
        "schema": 1,
        "steps": steps,
        "tables": outcome.tables,
        "changes": outcome.rows.rows,
        "rows": outcome.rows.differences.iter().map(shown).collect::<Vec<_>>(),
        "allowed": outcome.rows.ignored,
    })
}
