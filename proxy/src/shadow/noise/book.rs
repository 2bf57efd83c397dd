//! What was learned about the noise of one route: a document, and what is added to it. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most fields of a route that are remembered.
const MOST_FIELDS: usize = 100;
/// Most samples of a field.
const MOST_SAMPLES: usize = 3;

/// What a route's answers do when the same side is asked twice.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoiseBook {
    /// Pairs of answers of the fallback.
    pub pairs: u64,
    /// Of these, the ones that differ.
    pub unsteady: u64,
    /// What differs from itself, in the order in which it was seen first.
    pub fields: Vec<NoiseField>,
    /// Fields that were seen and not remembered, because there are too many.
    pub more: u64,
}

/// A field that differs from itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseField {
    /// Its number, from 1.
    pub number: u64,
    /// What it is, without names that users may have written.
    pub signature: String,
    /// How it differs.
    pub kind: String,
    /// The path of a rule that would allow it; absent if names in it had to be masked.
    pub rule: Option<String>,
    /// In how many pairs it differed.
    pub differed: u64,
    /// When it was seen first.
    pub first_at: DateTime<Utc>,
    /// When it was seen last.
    pub last_at: DateTime<Utc>,
    /// Why nobody should allow it without thinking: `amount`, `permission`, `id`, `outcome`.
    pub refused: Option<String>,
    /// When a person made a rule of it.
    #[serde(default)]
    pub accepted_at: Option<DateTime<Utc>>,
    /// Both values, masked, newest first.
    pub samples: Vec<Value>,
}

/// One field of one pair.
#[derive(Debug, Clone)]
pub(super) struct Sighting {
    pub(super) signature: String,
    pub(super) kind: String,
    pub(super) rule: Option<String>,
    pub(super) refused: Option<&'static str>,
    pub(super) sample: Value,
}

impl NoiseBook {
    /// Adds a pair and what differed in it, each field once.
    pub(super) fn add(&mut self, sightings: &[Sighting], at: DateTime<Utc>) {
        self.pairs += 1;
        self.unsteady += u64::from(!sightings.is_empty());
        for seen in sightings {
            let known = self.fields.iter().position(|field| field.signature == seen.signature);
            let index = match known {
                Some(index) => index,
                None if self.fields.len() >= MOST_FIELDS => {
                    self.more += 1;
                    continue;
                }
                None => {
                    self.fields.push(self.new_field(seen, at));
                    self.fields.len() - 1
                }
            };
            let field = &mut self.fields[index];
            field.differed += 1;
            field.last_at = at;
            // Once it looked like money it is money.
            field.refused = field.refused.take().or_else(|| seen.refused.map(str::to_owned));
            // It differs although a rule was made of it, or the rule is gone again.
            field.accepted_at = None;
            field.samples.insert(0, seen.sample.clone());
            field.samples.truncate(MOST_SAMPLES);
        }
    }

    fn new_field(&self, seen: &Sighting, at: DateTime<Utc>) -> NoiseField {
        NoiseField {
            number: self.fields.iter().map(|field| field.number).max().unwrap_or_default() + 1,
            signature: seen.signature.clone(),
            kind: seen.kind.clone(),
            rule: seen.rule.clone(),
            differed: 0,
            first_at: at,
            last_at: at,
            refused: None,
            accepted_at: None,
            samples: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(signature: &str, refused: Option<&'static str>) -> Sighting {
        let (kind, rule) = ("changed".to_owned(), Some(signature.to_owned()));
        Sighting { signature: signature.to_owned(), kind, rule, refused, sample: Value::Null }
    }

    #[test]
    fn fields_are_counted_numbered_and_bounded() {
        let (mut book, at) = (NoiseBook::default(), Utc::now());
        book.add(&[], at);
        book.add(&[seen("json $.a", None), seen("json $.b", None)], at);
        (0..9).for_each(|_| book.add(&[seen("json $.b", Some("amount"))], at));
        book.add(&[seen("json $.b", None)], at);
        assert_eq!((book.pairs, book.unsteady), (12, 11));
        let facts: Vec<_> =
            book.fields.iter().map(|f| (f.number, f.differed, f.refused.as_deref())).collect();
        assert_eq!(facts, [(1, 1, None), (2, 11, Some("amount"))]);
        assert_eq!(book.fields[1].samples.len(), MOST_SAMPLES);
        for number in 0..200 {
            book.add(&[seen(&format!("json $.n{number}x"), None)], at);
        }
        assert_eq!((book.fields.len(), book.more), (MOST_FIELDS, 102));
    }
}
