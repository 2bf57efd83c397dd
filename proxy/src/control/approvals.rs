//! Approvals: people who agree to the next step of a route as it is now. They lie beside the holds, so that restarts and a
//! lost database do not end them, and every one of them is a revision with its record in the audit.
//!
//! An approval is for what its author looked at, by digest. When the route or its certificate changes, the digest does, and the
//! approval counts no more. What a step needs is judged in `rollout`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Control;
use super::person::person;

/// One person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub author: String,
    /// Why, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The step, in words.
    pub step: String,
    /// What the author looked at.
    pub digest: String,
}

/// All of them, by route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Approvals(BTreeMap<String, Vec<Approval>>);

impl Approvals {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one; those for something else make room, and nobody counts twice.
    pub(super) fn add(&mut self, route: String, approval: Approval) {
        let approvals = self.0.entry(route).or_default();
        // Of two nodes one may have seen more of what runs: what is written is the same, and that is judged where it counts.
        let written = |digest: &str| digest.split('-').next().map(str::to_owned);
        let same = |other: &Approval| {
            other.step == approval.step && written(&other.digest) == written(&approval.digest)
        };
        let by_same = |other: &Approval| person(&other.author) == person(&approval.author);
        let again = |other: &Approval| by_same(other) && other.digest != approval.digest;
        approvals.retain(|other| same(other) && !again(other));
        if !approvals.iter().any(by_same) {
            approvals.push(approval);
        }
    }

    /// Route and step of those that are not in an earlier state.
    pub(super) fn since<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().flat_map(move |(route, approvals)| {
            let known = before.0.get(route).map(Vec::as_slice).unwrap_or_default();
            let new = approvals.iter().filter(move |approval| !known.contains(approval));
            new.map(|approval| (route.as_str(), approval.step.as_str()))
        })
    }
}

impl Control {
    /// The approvals of a route, whatever they are for.
    pub fn approvals(&self, route: &str) -> Vec<Approval> {
        self.lock().state.pins.approvals.0.get(route).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn approval(author: &str, digest: &str) -> Approval {
        let (step, digest) = ("5%".to_owned(), digest.to_owned());
        Approval { at: DateTime::UNIX_EPOCH, author: author.to_owned(), reason: None, step, digest }
    }

    #[test]
    fn nobody_counts_twice_and_what_is_for_something_else_makes_room() {
        let mut approvals = Approvals::default();
        for author in ["ana", "token ben", "token phone of ana", "ben", "ana"] {
            approvals.add("a".to_owned(), approval(author, "x"));
        }
        assert_eq!(approvals.0["a"].len(), 2);
        let mut seen = approvals.clone();
        seen.add("a".to_owned(), approval("cem", "x-1"));
        seen.add("a".to_owned(), approval("ana", "x-1"));
        let digests: Vec<&str> = seen.0["a"].iter().map(|one| one.digest.as_str()).collect();
        assert_eq!(digests, ["x", "x-1", "x-1"], "who approves again looks anew");
        let before = approvals.clone();
        approvals.add("a".to_owned(), approval("ana", "y"));
        assert_eq!(approvals.0["a"], [approval("ana", "y")]);
        assert_eq!(approvals.since(&before).collect::<Vec<_>>(), [("a", "5%")]);
        assert_eq!(before.since(&before).count(), 0);
    }
}
