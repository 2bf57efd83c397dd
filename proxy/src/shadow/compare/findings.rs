//! What a comparison has found so far: each difference is real, or allowed by a rule that is then named.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use super::design::Design;
use super::path::Path;
use crate::route::{Allows, IgnoreRule};

/// Most differences of one comparison that are kept; the rest is counted.
const MOST: usize = 200;
/// Longest text of a value that is kept.
const LONGEST_VALUE: usize = 300;

/// How two things differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Another value.
    Changed,
    /// The candidate lacks it.
    Missing,
    /// Only the candidate has it.
    Extra,
    /// Another type: a text for a number.
    Type,
    /// The same things in another order.
    Order,
    /// A key that stands there more often.
    Repeated,
}

impl Kind {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Type => "type",
            Self::Order => "order",
            Self::Repeated => "repeated",
        }
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: Path,
    /// How.
    pub kind: Kind,
    /// What the reference has there, if anything; clipped.
    pub reference: Option<String>,
    /// What the candidate has there, if anything; clipped.
    pub candidate: Option<String>,
    /// Both values are words of this program, not of the answers.
    pub own_words: bool,
}

impl Difference {
    /// A value that is another one.
    pub(in crate::shadow) fn changed(
        path: Path,
        reference: impl Into<String>,
        candidate: impl Into<String>,
    ) -> Self {
        let (reference, candidate) = (Some(clip(reference.into())), Some(clip(candidate.into())));
        Self { path, kind: Kind::Changed, reference, candidate, own_words: false }
    }

    /// Something that only one side has.
    pub(in crate::shadow) fn one_sided(
        path: Path,
        reference: Option<String>,
        candidate: Option<String>,
    ) -> Self {
        let kind = if candidate.is_none() { Kind::Missing } else { Kind::Extra };
        Self { path, kind, reference: reference.map(clip), candidate: candidate.map(clip), own_words: false }
    }

    /// Of another kind than changed.
    pub(in crate::shadow) fn of(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// With values that this program made up.
    pub(in crate::shadow) fn in_own_words(self) -> Self {
        Self { own_words: true, ..self }
    }

    /// What all differences of one shape share, as it may be stored.
    pub fn group(&self) -> String {
        let signature = self.path.masked_signature();
        match (&self.path, self.kind) {
            (Path::Status, _) => {
                let side = |value: &Option<String>| value.clone().unwrap_or_default();
                format!("{signature} {}/{}", side(&self.reference), side(&self.candidate))
            }
            (_, Kind::Changed) => signature,
            (_, kind) => format!("{signature} {}", kind.word()),
        }
    }
}

fn clip(text: String) -> String {
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Why answers could not be compared in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Incomparable {
    /// A body was cut off or is larger than what is kept.
    Truncated,
    /// A content coding or a charset that is not known here.
    Undecodable,
    /// Deeper or larger than what is looked at.
    TooDeep,
    /// Session cookies differ and there is no secret key to read them.
    NoSecret,
}

impl Incomparable {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Undecodable => "undecodable",
            Self::TooDeep => "too_deep",
            Self::NoSecret => "no_secret",
        }
    }
}

/// Collects differences.
#[derive(Debug)]
pub(in crate::shadow) struct Findings<'r> {
    rules: &'r [IgnoreRule],
    today: NaiveDate,
    pub(super) design: Design,
    pub(in crate::shadow) differences: Vec<Difference>,
    /// Differences beyond the most that are kept.
    pub(in crate::shadow) more: usize,
    /// How often each rule was needed, by its path or its built-in name.
    pub(in crate::shadow) ignored: BTreeMap<String, u64>,
    pub(super) incomparable: Option<Incomparable>,
}

impl<'r> Findings<'r> {
    pub(super) fn new(rules: &'r [IgnoreRule], today: NaiveDate, design: Design) -> Self {
        let (differences, ignored) = (Vec::new(), BTreeMap::new());
        Self { rules, today, design, differences, more: 0, ignored, incomparable: None }
    }

    /// For rows: nothing differs by design of a release.
    pub(in crate::shadow) fn of_rows(rules: &'r [IgnoreRule], today: NaiveDate) -> Self {
        Self::new(rules, today, Design::none())
    }

    /// Takes a difference in: true if it is real.
    pub(in crate::shadow) fn report(&mut self, difference: Difference) -> bool {
        let (text, signature) = (difference.path.text(), difference.path.signature());
        let rule = self.active().find(|rule| {
            (rule.path.matches(&text) || rule.path.matches(&signature)) && allows(rule, &difference)
        });
        if let Some(rule) = rule {
            let name = rule.path.as_str().to_owned();
            self.count(name);
            return false;
        }
        if self.differences.len() < MOST {
            self.differences.push(difference);
        } else {
            self.more += 1;
        }
        true
    }

    /// A difference that is there by design: it is counted under the name of the built-in rule.
    pub(in crate::shadow) fn by_design(&mut self, rule: &str) {
        self.count(format!("built-in {rule}"));
    }

    /// By what the items of a list belong together, if a rule allows any order; the rule's name comes along.
    pub(super) fn any_order(&self, path: &Path) -> Option<(String, Option<String>)> {
        let (text, signature) = (path.text(), path.signature());
        self.active().find_map(|rule| match &rule.allows {
            Allows::AnyOrder(key) if rule.path.matches(&text) || rule.path.matches(&signature) => {
                Some((rule.path.as_str().to_owned(), key.clone()))
            }
            _ => None,
        })
    }

    /// Counts a rule that was needed.
    pub(super) fn count(&mut self, rule: String) {
        *self.ignored.entry(rule).or_default() += 1;
    }

    /// The comparison cannot be made in full.
    pub(super) fn cannot(&mut self, why: Incomparable) {
        self.incomparable.get_or_insert(why);
    }

    /// A rule counts until the end of its last day.
    fn active(&self) -> impl Iterator<Item = &'r IgnoreRule> {
        let today = self.today;
        self.rules.iter().filter(move |rule| rule.expires >= today)
    }
}

fn allows(rule: &IgnoreRule, difference: &Difference) -> bool {
    let both = |read: fn(&str) -> Option<f64>| {
        let (Some(one), Some(other)) = (&difference.reference, &difference.candidate) else { return None };
        Some((read(one)? - read(other)?).abs())
    };
    match rule.allows {
        Allows::Anything => true,
        // What one write of a decimal fraction adds to it must not count.
        Allows::Number(most) => both(number).is_some_and(|distance| distance <= most * (1.0 + 1e-9)),
        Allows::Seconds(most) => both(time).is_some_and(|distance| distance <= most),
        Allows::AnyOrder(_) => false,
    }
}

/// A number, also in quotes and with blanks around.
fn number(text: &str) -> Option<f64> {
    text.trim_matches('"').trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A time in seconds: ISO 8601 or the form of HTTP headers.
fn time(text: &str) -> Option<f64> {
    let text = text.trim_matches('"').trim();
    let seconds = |milliseconds: i64| milliseconds as f64 / 1_000.0;
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(seconds(time.timestamp_millis()));
    }
    if let Ok(time) = DateTime::parse_from_rfc2822(text) {
        return Some(seconds(time.timestamp_millis()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%a, %d-%b-%Y %H:%M:%S GMT"]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .map(|time| seconds(time.and_utc().timestamp_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::Pattern;
    use crate::shadow::compare::design::Side;
    use flask_compat::Profile;

    fn rule(path: &str, allows: Allows) -> IgnoreRule {
        IgnoreRule {
            path: Pattern::parse(path).unwrap(),
            allows,
            reason: "r".to_owned(),
            author: "a".to_owned(),
            expires: day("2026-06-30"),
        }
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn strict() -> Design {
        let side = Side::Flask(Profile::Werkzeug10);
        Design::of(side, side)
    }

    fn header(one: &str, other: &str) -> Difference {
        Difference::changed(Path::Header("x".to_owned()), one, other)
    }

    #[test]
    fn a_rule_counts_until_the_end_of_its_last_day() {
        let rules = [rule("header *", Allows::Anything)];
        for (today, real) in [("2026-06-30", false), ("2026-07-01", true)] {
            let mut findings = Findings::new(&rules, day(today), strict());
            assert_eq!(findings.report(header("a", "b")), real, "{today}");
            assert_eq!(findings.ignored.len(), usize::from(!real));
        }
    }

    #[test]
    fn tolerances_are_for_numbers_and_times_only() {
        let cases = [
            (Allows::Number(0.01), "12.50", "12.51", false),
            (Allows::Number(0.01), "12.50", "12.52", true),
            (Allows::Number(0.01), "12.50", "twelve", true),
            (Allows::Seconds(2.0), "2026-01-01T00:00:00Z", "2026-01-01T01:00:01+01:00", false),
            (Allows::Seconds(2.0), "2026-01-01 00:00:00", "2026-01-01 00:00:03", true),
            (Allows::Seconds(2.0), "Thu, 01 Jan 2026 00:00:00 GMT", "2026-01-01T00:00:01Z", false),
            (Allows::Seconds(2.0), "10", "11", true),
        ];
        for (allows, one, other, real) in cases {
            let rules = [rule("header x", allows.clone())];
            let mut findings = Findings::new(&rules, day("2026-01-01"), strict());
            assert_eq!(findings.report(header(one, other)), real, "{allows:?} {one} {other}");
        }
    }

    #[test]
    fn differences_are_bounded() {
        let mut findings = Findings::new(&[], day("2026-01-01"), strict());
        for number in 0..MOST + 5 {
            findings.report(header("a", &number.to_string()));
        }
        assert_eq!((findings.differences.len(), findings.more), (MOST, 5));
    }
}
