//! A name for the rules under which a route is compared: two certificates can only be added up if it is the same.

use std::fmt::Write;

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use super::compare::Design;
use crate::route::{IgnoreRule, Route};

/// The hash of everything that decides what is a mismatch: who is compared with whom, the rules that count on this day, and
/// what differs by design.
/// Who wrote a rule, and why, does not matter.
pub fn hash(route: &Route, design: Design, today: NaiveDate) -> String {
    let rules = route.shadow.as_ref().map(|shadow| shadow.ignore.as_slice()).unwrap_or_default();
    let mut text = format!("{} {} {design:?}", route.fallback, route.candidate);
    for rule in rules.iter().filter(|rule| rule.expires >= today) {
        let IgnoreRule { path, allows, .. } = rule;
        let _ = write!(text, "\n{} {allows:?}", path.as_str());
    }
    let mut hash = String::new();
    for byte in &Sha256::digest(text.as_bytes())[..16] {
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}
