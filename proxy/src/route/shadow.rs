//! `shadow` of a route: which share of its requests is copied, and which differences are allowed.
//!
//! A rule allows what its path fits: a path of a difference as `ficus diffs` shows it, or its signature, with `*` for
//! part of one step and `**` for anything. How answers are compared is in room `shadow`.

use chrono::NaiveDate;

use crate::diagnostic::{Report, Section, Value};

use super::keys;

/// `shadow`, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    /// The share of requests that is copied, 0 to 1.
    pub sample: f64,
    /// Whether requests that may change something are tried out by the candidate before the fallback answers them.
    pub writes: bool,
    /// What may differ.
    pub ignore: Vec<IgnoreRule>,
    /// Whose values are kept readable in stored samples.
    pub show: Vec<Pattern>,
}

/// A difference that is allowed, by whom, why and until when.
#[derive(Debug, Clone, PartialEq)]
pub struct IgnoreRule {
    /// What it is about.
    pub path: Pattern,
    /// How far it goes.
    pub allows: Allows,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub author: String,
    /// The last day on which it counts.
    pub expires: NaiveDate,
}

/// How far a rule goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Allows {
    /// Whatever differs there.
    Anything,
    /// Two numbers that are this close.
    Number(f64),
    /// Two times that are this close, in seconds.
    Seconds(f64),
    /// A list in any order; items belong together by this key, or as a whole.
    AnyOrder(Option<String>),
}

/// The first word of every path.
const KINDS: &[&str] =
    &["status", "header", "redirect", "cookie", "flash", "csrf", "json", "html", "text", "body", "rows"];
/// Longest pattern.
const LONGEST: usize = 400;

/// A path with `*` and `**`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kind = kind(text);
        if !KINDS.contains(&kind) {
            let kinds = KINDS.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
            return Err(format!("a path begins with one of {kinds}"));
        }
        if text.len() > LONGEST {
            return Err(format!("a path has at most {LONGEST} characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a path fits.
    pub fn matches(&self, path: &str) -> bool {
        // For each length of the path: whether what was read of the pattern fits that much of it.
        let text: Vec<char> = path.chars().collect();
        let mut fits = vec![false; text.len() + 1];
        fits[0] = true;
        let mut pattern = self.0.chars().peekable();
        while let Some(c) = pattern.next() {
            let mut next = vec![false; text.len() + 1];
            if c == '*' {
                let everything = pattern.next_if_eq(&'*').is_some();
                let mut open = false;
                for length in 0..=text.len() {
                    let crosses = length > 0 && !everything && is_border(text[length - 1]);
                    open = (open && !crosses) || fits[length];
                    next[length] = open;
                }
            } else {
                for length in 1..=text.len() {
                    next[length] = fits[length - 1] && text[length - 1] == c;
                }
            }
            fits = next;
        }
        fits.last().copied().unwrap_or_default()
    }

    /// Whether it fits everything of its kind.
    fn is_boundless(&self) -> bool {
        let rest = self.0[kind(&self.0).len()..].trim_start_matches([' ', '$', '/', '.']);
        self.0 == "status" || (!rest.is_empty() && rest.chars().all(|c| c == '*'))
    }
}

/// The word before the first blank, dot or bracket.
fn kind(text: &str) -> &str {
    text.split([' ', '.', '[']).next().unwrap_or_default()
}

/// What `*` does not cross.
fn is_border(c: char) -> bool {
    matches!(c, '/' | '.' | '[' | ']' | ' ')
}

/// Reads `shadow`. A rule past its last day is read, warned about, and allows nothing.
pub(super) fn read(section: &Section<'_>, today: Option<NaiveDate>, report: &mut Report) -> Option<Shadow> {
    let table = section.get("shadow")?.section(keys::SHADOW, report)?;
    let sample = match table.get("sample") {
        Some(sample) => sample.number(0.0, 1.0, report)?,
        None => 1.0,
    };
    let mut ignore = Vec::new();
    for value in table.get("ignore").and_then(|value| value.list(report)).unwrap_or_default() {
        ignore.extend(rule(&value, today, report));
    }
    let mut show = Vec::new();
    for (_, value) in table.get("show").and_then(|value| value.texts(report)).unwrap_or_default() {
        show.extend(value.parsed(report, Pattern::parse));
    }
    let writes = match table.get("writes") {
        Some(writes) => writes.boolean(report)?,
        None => false,
    };
    Some(Shadow { sample, writes, ignore, show })
}

fn rule(value: &Value<'_>, today: Option<NaiveDate>, report: &mut Report) -> Option<IgnoreRule> {
    if !value.is_table() {
        report.error(value.place(), "a rule is a table").help(
            "write `{ path = \"json $.total\", reason = \"..\", author = \"..\", expires = \"2027-01-31\" }`",
        );
        return None;
    }
    let section = value.section(keys::IGNORE, report)?;
    for key in ["path", "reason", "author", "expires"] {
        if section.get(key).is_none() {
            report.error(value.place(), format!("a rule needs `{key}`")).absence();
        }
    }
    let path = section.get("path")?;
    let pattern = path.parsed(report, Pattern::parse);
    let words = |key: &str, report: &mut Report| {
        section.get(key)?.parsed(report, |text| match text.trim() {
            "" => Err("must not be empty".to_owned()),
            text => Ok(text.to_owned()),
        })
    };
    let (reason, author) = (words("reason", report), words("author", report));
    let expires = section.get("expires").and_then(|value| day(&value, today, report));
    let allows = allows(&section, report)?;
    let pattern = pattern?;
    if pattern.is_boundless() && allows == Allows::Anything {
        report
            .warning(path.place(), format!("this rule allows every `{}` difference", kind(pattern.as_str())))
            .label("nothing of that kind is found any more");
    }
    Some(IgnoreRule { path: pattern, allows, reason: reason?, author: author?, expires: expires? })
}

fn day(value: &Value<'_>, today: Option<NaiveDate>, report: &mut Report) -> Option<NaiveDate> {
    let day = value.parsed(report, |text| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map_err(|_| format!("`{text}` is not a day: write `2027-01-31`"))
    })?;
    if today.is_some_and(|today| day < today) {
        report
            .warning(value.place(), "this rule has expired")
            .label("it allows nothing any more: what it was about is a mismatch again")
            .help("remove it, or look at the difference again and move the day");
    }
    Some(day)
}

/// What a rule allows; `None` after an error.
fn allows(section: &Section<'_>, report: &mut Report) -> Option<Allows> {
    let keys = ["tolerance", "within", "unordered_by"];
    let mut given = keys.into_iter().filter_map(|key| Some((key, section.get(key)?)));
    let Some((key, value)) = given.next() else { return Some(Allows::Anything) };
    if let Some((_, other)) = given.next() {
        report
            .error(other.key(), "a rule has at most one of `tolerance`, `within` and `unordered_by`")
            .related(value.key().clone(), "the other one is here");
        return None;
    }
    match key {
        "tolerance" => value.number(0.0, f64::MAX, report).map(Allows::Number),
        "within" => value.duration(report).map(|time| Allows::Seconds(time.as_secs_f64())),
        _ => value.text(report).map(|key| Allows::AnyOrder((key != ".").then_some(key))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_parts_of_a_path() {
        let cases = [
            ("json $.a[3].b", "json $.a[3].b", true),
            ("json $.a[*].b", "json $.a[3].b", true),
            ("json $.a[*].b", "json $.a[3].c.b", false),
            ("json $.*.b", "json $.a.b", true),
            ("json $.*.b", "json $.a.c.b", false),
            ("json $.**.b", "json $.a.c.b", true),
            ("json **", "json $.a", true),
            ("html td.last-contact text", "html td.last-contact text", true),
            ("html **/td[*] text", "html /html/body/table/tr[7]/td[4] text", true),
            ("html **/td[*] text", "html /html/body/table/tr[7]/td[4] @href", false),
            ("header x-*", "header x-build", true),
            ("header x-*", "header vary", false),
            ("rows.customers[*].name", "rows.customers[insert].name", true),
            ("rows.customers[update *].name", "rows.customers[update id=7].name", true),
            ("rows.*[*].name", "rows.customers[insert 1].name", false),
            ("status", "status", true),
            ("status", "status 200/500", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_has_a_kind() {
        for wrong in ["", "*", "**", "$.a", "jsn $.a", "headers vary"] {
            assert!(Pattern::parse(wrong).is_err(), "{wrong:?} was taken");
        }
        for right in ["flash", "flash[0]", "csrf", "cookie session.cart", "body sha256", "redirect"] {
            assert!(Pattern::parse(right).is_ok(), "{right:?} was not taken");
        }
    }

    #[test]
    fn what_allows_everything_is_known() {
        for (pattern, boundless) in [
            ("status", true),
            ("json $**", true),
            ("json **", true),
            ("html /**", true),
            ("html **/td text", false),
            ("rows.**", true),
            ("rows.customers[*].updated_at", false),
            ("flash", false),
        ] {
            assert_eq!(Pattern::parse(pattern).unwrap().is_boundless(), boundless, "{pattern}");
        }
    }

    #[test]
    fn an_expired_rule_is_warned_about() {
        let day = |today: fn() -> NaiveDate| {
            let text = "version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\nshadow = { ignore = [{ path = \"json $.a\", \
                        reason = \"r\", author = \"a\", expires = \"2026-06-30\" }] }\n";
            let context = crate::route::Context { today: Some(today), ..crate::route::Context::default() };
            let (table, report) =
                crate::route::read(&crate::diagnostic::Source::new("routes.toml", text), &context);
            let rules = table.unwrap().route("a").unwrap().shadow.clone().unwrap().ignore;
            assert_eq!(rules.len(), 1);
            report.findings().iter().map(|finding| finding.message().to_owned()).collect::<Vec<_>>()
        };
        assert!(day(|| NaiveDate::from_ymd_opt(2026, 6, 30).unwrap()).is_empty());
        assert_eq!(day(|| NaiveDate::from_ymd_opt(2026, 7, 1).unwrap()), ["this rule has expired"]);
    }
}
