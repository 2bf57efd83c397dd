//! Whose requests are in the numbers of a fleet, and whose are not. Pure.

use serde::{Deserialize, Serialize};

use crate::store::Teller;

/// A node tells every few seconds; what is older than this says nothing of its requests since.
const FRESH_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The nodes of a fleet, as far as it is about what they counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tellers {
    /// All that told something, or that somebody heard of.
    pub nodes: Vec<Teller>,
    /// Why the others could not be asked; absent: they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Tellers {
    /// One sentence for each node whose requests of the last days are not all in the numbers. A node that left told
    /// everything before; one that was not heard of for longer is no matter.
    pub fn unseen(&self, days: u64) -> Vec<String> {
        if let Some(error) = &self.error {
            return vec![format!(
                "only this node's requests are counted, as the shared store cannot be asked: {error}"
            )];
        }
        let is_there =
            |node: &&Teller| node.heard_ms.is_some_and(|heard| heard < days.saturating_mul(DAY_MS));
        let sentence = |node: &Teller| match node.told_ms {
            Some(told) if told < FRESH_MS => None,
            Some(told) => Some(format!("`{}` told of its requests {} ago", node.name, ago(told))),
            None => Some(format!("`{}` told nothing of its requests yet", node.name)),
        };
        self.nodes.iter().filter(is_there).filter_map(sentence).collect()
    }

    /// Their names.
    pub fn names(&self) -> String {
        self.nodes.iter().map(|node| node.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Somebody says that nobody is sent to this node; whether there is one of that name.
    pub fn leave_out(&mut self, name: &str) -> bool {
        let node = self.nodes.iter_mut().find(|node| node.name == name);
        node.map(|node| node.heard_ms = None).is_some()
    }
}

fn ago(ms: u64) -> String {
    let minutes = ms / 60_000;
    match minutes {
        0..120 => format!("{minutes} min"),
        120..2_880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, told_ms: Option<u64>, heard_ms: Option<u64>) -> Teller {
        Teller { name: name.to_owned(), told_ms, heard_ms }
    }

    #[test]
    fn whoever_may_have_been_asked_since_it_told_is_named() {
        let hour = 60 * 60_000;
        let mut tellers = Tellers {
            nodes: vec![
                node("fresh", Some(4_000), Some(1_000)),
                node("older", None, Some(1_000)),
                node("cut", Some(3 * hour), Some(3 * hour)),
                node("dead", Some(9 * DAY_MS), Some(9 * DAY_MS)),
                node("left", Some(5 * DAY_MS), None),
                node("forgotten", None, Some(40 * DAY_MS)),
            ],
            error: None,
        };
        let mut expected = vec![
            "`older` told nothing of its requests yet",
            "`cut` told of its requests 3 h ago",
            "`dead` told of its requests 9 days ago",
        ];
        assert_eq!(tellers.unseen(30), expected);
        assert!(tellers.leave_out("dead") && !tellers.leave_out("nobody"));
        expected.pop();
        assert_eq!(tellers.unseen(30), expected);
        tellers.error = Some("it is away".to_owned());
        let [only] = tellers.unseen(30).try_into().unwrap();
        assert!(only.contains("only this node's requests") && only.ends_with("it is away"), "{only}");
    }
}
