//! Attempts that were refused, on their way into the audit: the first ones of a while each as a record, the rest as one record
//! with numbers, so that nobody fills the audit by asking.
//!
//! A while is a minute, and twice as long as the one before if that ended with numbers, up to an hour: whoever is refused
//! without end leaves some 250 records a day. Pure: when it is comes in as an argument. Records of changes are in `mod`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// So many in one while get a record each.
const MOST: usize = 10;
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// An attempt that was refused. Words of ours only: nothing of it comes from who was refused, but for their name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refusal {
    /// Who, if that is known.
    pub author: Option<String>,
    /// What they asked for, such as `POST /v1/flip`.
    pub what: String,
    /// The route that it was about, if there is one of that name.
    pub route: Option<String>,
    /// Why, in a word that stays the same.
    pub reason: String,
}

/// A while, and what was refused in it.
#[derive(Debug)]
pub(super) struct Refusals {
    lasts: Duration,
    began: Option<(Instant, DateTime<Utc>)>,
    written: BTreeSet<Refusal>,
    counted: BTreeMap<String, u64>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { lasts: SHORTEST, began: None, written: BTreeSet::new(), counted: BTreeMap::new() }
    }
}

impl Refusals {
    /// Takes one in; the record, if it gets one of its own.
    pub(super) fn take(&mut self, refusal: Refusal, (now, at): (Instant, DateTime<Utc>)) -> Option<Value> {
        self.began.get_or_insert((now, at));
        if self.written.len() < MOST && !self.written.contains(&refusal) {
            let record = json!({
                "action": "refused",
                "at": at,
                "author": refusal.author,
                "what": refusal.what,
                "route": refusal.route,
                "reason": refusal.reason,
                "count": 1,
            });
            self.written.insert(refusal);
            return Some(record);
        }
        *self.counted.entry(refusal.reason).or_default() += 1;
        None
    }

    /// How long the while still lasts; `None`: nobody was refused lately.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        self.began.map(|(began, _)| self.lasts.saturating_sub(now.duration_since(began)))
    }

    /// Ends the while; the record with the numbers of those that have none of their own.
    pub(super) fn end(&mut self, at: DateTime<Utc>) -> Option<Value> {
        let (_, since) = self.began.take()?;
        self.written.clear();
        let counted = std::mem::take(&mut self.counted);
        if counted.is_empty() {
            self.lasts = SHORTEST;
            return None;
        }
        self.lasts = (self.lasts * 2).min(LONGEST);
        Some(json!({
            "action": "refused",
            "at": at,
            "since": since,
            "reason": "as above, or too many to write each down",
            "count": counted.values().sum::<u64>(),
            "reasons": counted,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(author: &str, reason: &str) -> Refusal {
        let what = "POST /v1/flip".to_owned();
        Refusal { author: Some(author.to_owned()), what, route: None, reason: reason.to_owned() }
    }

    #[test]
    fn the_first_ones_are_told_apart_and_a_flood_becomes_numbers() {
        let (now, at) = (Instant::now(), Utc::now());
        let mut refusals = Refusals::default();
        assert_eq!(refusals.take(refusal("ana", "stale"), (now, at)).unwrap()["author"], "ana");
        // The same once more is a number.
        assert_eq!(refusals.take(refusal("ana", "stale"), (now, at)), None);
        let written =
            (0..1_000).filter(|n| refusals.take(refusal(&n.to_string(), "no_token"), (now, at)).is_some());
        assert_eq!(written.count(), MOST - 1);
        let sum = refusals.end(at).unwrap();
        assert_eq!(
            (sum["count"].as_u64(), &sum["reasons"]),
            (Some(992), &json!({ "no_token": 991, "stale": 1 }))
        );
    }

    #[test]
    fn a_flood_without_end_is_written_down_less_and_less() {
        let (mut now, mut at, mut records) = (Instant::now(), Utc::now(), 0);
        let mut refusals = Refusals::default();
        for _ in 0..24 * 60 {
            for n in 0..30 {
                records +=
                    usize::from(refusals.take(refusal(&n.to_string(), "no_token"), (now, at)).is_some());
            }
            now += Duration::from_secs(60);
            at += chrono::TimeDelta::minutes(1);
            if refusals.rest(now) == Some(Duration::ZERO) {
                records += usize::from(refusals.end(at).is_some());
            }
        }
        assert!((100..400).contains(&records), "{records} in a day");
        // A while without anything more ends it.
        assert!(refusals.end(at).is_none_or(|sum| sum["count"].as_u64() > Some(0)));
        refusals.take(refusal("ana", "stale"), (now, at));
        assert_eq!(refusals.end(at), None);
        assert_eq!(refusals.lasts, SHORTEST);
    }
}
