//! `plan` of a route, and `[plans.NAME]`: the steps on the way to the candidate, and what each of them needs.
//!
//! A route without a plan has the same steps and the same gate: the plan of the defaults. Whether a gate holds is judged in
//! `rollout`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};

use crate::diagnostic::{Report, Section, Value, percent};

use super::keys;

/// One step on the way from the fallback to the candidate; they are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Requests are copied to the candidate, nobody is answered by it.
    Shadow,
    /// So many buckets of 100,000 are answered by the candidate.
    Share(u32),
    /// The candidate answers everybody.
    Candidate,
}

impl Step {
    /// `shadow`, `5%`, or the name of the candidate.
    pub fn word(self, candidate: &str) -> String {
        match self {
            Self::Shadow => "shadow".to_owned(),
            Self::Share(buckets) => format!("{}%", f64::from(buckets) / 1_000.0),
            Self::Candidate => candidate.to_owned(),
        }
    }
}

/// The way of a route.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The steps, ascending.
    pub steps: Vec<Step>,
    /// What each of them needs.
    pub gate: Gate,
    /// Steps are taken without anybody asking.
    pub auto: bool,
    /// When steps are taken without anybody asking; absent: at any time.
    pub hours: Option<Hours>,
}

/// What a step needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Time at the present step.
    pub soak: Duration,
    /// Fewest comparisons; 0: comparisons are not asked for.
    pub comparisons: u64,
    /// The bound on the share of different answers must not be above this.
    pub max_mismatch: f64,
    /// The share of requests, 0 to 1, by which the candidate may fail more often than the fallback.
    pub max_error_ratio: f64,
    /// The candidate's 95th percentile may be so many times the fallback's.
    pub max_p95_ratio: f64,
    /// Fewest requests of the candidate at a step that gives it users.
    pub min_requests: u64,
    /// Whether the handlers must know the schema of the database.
    pub schema: bool,
    /// A rollback must have been rehearsed within this time; absent: it need not.
    pub drill: Option<Duration>,
    /// So many people who did not make the last change must approve.
    pub approvals: u64,
}

impl Default for Plan {
    fn default() -> Self {
        let shares = [1_000, 5_000, 25_000, 50_000, 100_000].map(Step::Share);
        Self {
            steps: [Step::Shadow].into_iter().chain(shares).chain([Step::Candidate]).collect(),
            gate: Gate::default(),
            auto: false,
            hours: None,
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            soak: Duration::from_secs(30 * 60),
            comparisons: 1_000,
            max_mismatch: 0.005,
            max_error_ratio: 0.005,
            max_p95_ratio: 1.5,
            min_requests: 50,
            schema: true,
            drill: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            approvals: 0,
        }
    }
}

/// Times of the week, by a fixed offset from UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes since midnight: from, and to (not included).
    from: u32,
    to: u32,
    /// Minutes east of UTC.
    offset: i64,
    text: String,
}

impl Hours {
    /// Whether a moment is one of them. Hours over midnight belong to the day on which they begin.
    pub fn allow(&self, now: DateTime<Utc>) -> bool {
        let there = now + chrono::Duration::minutes(self.offset);
        let minute = there.hour() * 60 + there.minute();
        let today = there.weekday().num_days_from_monday() as usize;
        let yesterday = (today + 6) % 7;
        if self.from < self.to {
            return self.days[today] && (self.from..self.to).contains(&minute);
        }
        (self.days[today] && minute >= self.from) || (self.days[yesterday] && minute < self.to)
    }

    /// As written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// `09:00-16:00`, `Mon-Fri 09:00-16:00`, `Mon,Wed 22:00-04:00 +01:00`.
pub(super) fn hours(text: &str) -> Result<Hours, String> {
    let wrong = || format!("`{text}` is no time of the week: write `Mon-Fri 09:00-16:00 +01:00`");
    let mut words = text.split_whitespace().peekable();
    let mut days = [true; 7];
    if let Some(word) = words.next_if(|word| word.starts_with(|c: char| c.is_ascii_alphabetic())) {
        days = self::days(word).ok_or_else(wrong)?;
    }
    let (from, to) = words.next().and_then(|word| word.split_once('-')).ok_or_else(wrong)?;
    let offset = match words.next() {
        None | Some("UTC" | "Z") => 0,
        Some(zone) => offset(zone).ok_or_else(wrong)?,
    };
    let (from, to) = (minutes(from).ok_or_else(wrong)?, minutes(to).ok_or_else(wrong)?);
    if words.next().is_some() || from == to || from == 24 * 60 {
        return Err(wrong());
    }
    Ok(Hours { days, from, to, offset, text: text.to_owned() })
}

fn days(word: &str) -> Option<[bool; 7]> {
    let number = |day: &str| DAYS.iter().position(|name| name.eq_ignore_ascii_case(day));
    let mut days = [false; 7];
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last)?);
        let count = (last + 7 - first) % 7;
        (0..=count).for_each(|n| days[(first + n) % 7] = true);
    }
    Some(days)
}

/// `09:30` as minutes; `24:00` is the end of the day.
fn minutes(text: &str) -> Option<u32> {
    let (hour, minute) = text.split_once(':')?;
    if [hour, minute].iter().any(|part| part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_digit())) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    let all = hour * 60 + minute;
    (minute < 60 && all <= 24 * 60).then_some(all)
}

fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let minutes = i64::from(minutes(&text[1..])?);
    (minutes <= 14 * 60).then_some(sign * minutes)
}

/// The named plans of a file.
pub(super) type Plans = BTreeMap<String, Plan>;

/// `[plans.NAME]`; `candidates` are words for the last step.
pub(super) fn named(root: &Section<'_>, candidates: &[&str], report: &mut Report) -> Plans {
    let Some(section) = root.get("plans").and_then(|value| value.free_section(report)) else {
        return Plans::new();
    };
    let mut plans = Plans::new();
    for (name, value) in section.entries() {
        if let Some(plan) = read(&value, candidates, report) {
            plans.insert(name, plan);
        }
    }
    plans
}

/// `plan` of a route: a table, or the name of one.
pub(super) fn of_route(
    section: &Section<'_>,
    plans: &Plans,
    candidate: &str,
    report: &mut Report,
) -> Option<Plan> {
    let value = section.get("plan")?;
    if !value.is_text() {
        return read(&value, &[candidate], report);
    }
    let name = value.text(report)?;
    if let Some(plan) = plans.get(&name) {
        return Some(plan.clone());
    }
    let diagnostic = report.error(value.place(), format!("there is no plan `{name}`"));
    if plans.is_empty() {
        diagnostic.help(format!("write it under `[plans.{name}]`"));
    } else {
        diagnostic.suggest(&name, plans.keys().map(String::as_str));
    }
    None
}

fn read(value: &Value<'_>, candidates: &[&str], report: &mut Report) -> Option<Plan> {
    let table = value.section(keys::PLAN, report)?;
    let usual = Plan::default();
    let steps = match table.get("steps") {
        Some(steps) => self::steps(&steps, candidates, report),
        None => Some(usual.steps),
    };
    let gate = gate(&table, usual.gate, report);
    let auto = match table.get("auto") {
        Some(auto) => auto.boolean(report),
        None => Some(false),
    };
    let hours = match table.get("hours") {
        Some(hours) => hours.parsed(report, self::hours).map(Some),
        None => Some(None),
    };
    Some(Plan { steps: steps?, gate: gate?, auto: auto?, hours: hours? })
}

fn steps(value: &Value<'_>, candidates: &[&str], report: &mut Report) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for (text, item) in value.texts(report)? {
        let step = match text.as_str() {
            "shadow" => Step::Shadow,
            "candidate" => Step::Candidate,
            word if candidates.contains(&word) => Step::Candidate,
            word => match percent(word) {
                Ok(0) | Err(_) => {
                    report
                        .error(item.place(), format!("`{word}` is no step"))
                        .help("write `shadow`, a share such as `5%`, or `candidate`");
                    return None;
                }
                Ok(buckets) => Step::Share(buckets),
            },
        };
        if steps.last().is_some_and(|last| *last >= step) {
            report.error(item.place(), format!("`{text}` is no step up")).label("steps go up, one by one");
            return None;
        }
        steps.push(step);
    }
    if steps.is_empty() {
        report.error(value.place(), "`steps` is empty").help("leave it out for the usual ones");
        return None;
    }
    Some(steps)
}

fn gate(table: &Section<'_>, usual: Gate, report: &mut Report) -> Option<Gate> {
    let mut gate = usual;
    let mut good = true;
    let mut take = |read: Option<()>| good &= read.is_some();
    if let Some(value) = table.get("soak") {
        take(value.parsed(report, crate::diagnostic::duration).map(|soak| gate.soak = soak));
    }
    let counts = [
        ("comparisons", &mut gate.comparisons),
        ("min_requests", &mut gate.min_requests),
        ("approvals", &mut gate.approvals),
    ];
    for (key, field) in counts {
        if let Some(value) = table.get(key) {
            take(value.integer(0, report).map(|number| *field = number));
        }
    }
    let ratios = [
        ("max_mismatch", &mut gate.max_mismatch, (0.0, 1.0)),
        ("max_error_ratio", &mut gate.max_error_ratio, (0.0, 1.0)),
        ("max_p95_ratio", &mut gate.max_p95_ratio, (1.0, 1_000.0)),
    ];
    for (key, field, (least, most)) in ratios {
        if let Some(value) = table.get(key) {
            take(value.number(least, most, report).map(|number| *field = number));
        }
    }
    if let Some(value) = table.get("schema") {
        take(value.boolean(report).map(|on| gate.schema = on));
    }
    if let Some(value) = table.get("drill") {
        let read = |text: &str| match text {
            "off" => Ok(None),
            text => crate::diagnostic::duration(text).map(Some),
        };
        take(value.parsed(report, read).map(|drill| gate.drill = drill));
    }
    good.then_some(gate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_of_the_week_and_of_an_offset() {
        // 2026-11-25 is a Wednesday.
        let cases = [
            ("09:00-16:00", "2026-11-25T09:00:00Z", true),
            ("09:00-16:00", "2026-11-25T16:00:00Z", false),
            ("09:00-16:00 +01:00", "2026-11-25T08:00:00Z", true),
            ("09:00-16:00 +01:00", "2026-11-25T15:00:00Z", false),
            ("09:00-16:00 -05:00", "2026-11-25T14:00:00Z", true),
            ("Mon-Fri 09:00-16:00", "2026-11-28T10:00:00Z", false),
            ("Sat,Sun 00:00-24:00", "2026-11-28T23:59:00Z", true),
            ("Fri-Mon 00:00-24:00", "2026-11-25T12:00:00Z", false),
            ("Wed 22:00-04:00", "2026-11-26T03:59:00Z", true),
            ("Wed 22:00-04:00", "2026-11-25T03:00:00Z", false),
            ("Wed 00:00-24:00 +02:00", "2026-11-24T22:00:00Z", true),
        ];
        for (text, now, expected) in cases {
            assert_eq!(hours(text).unwrap().allow(at(now)), expected, "{text} at {now}");
        }
    }

    #[test]
    fn what_is_no_time_of_the_week_is_refused() {
        for text in [
            "",
            "9-16",
            "09:00",
            "09:00-09:00",
            "25:00-26:00",
            "09:60-10:00",
            "Mit 09:00-16:00",
            "09:00-16:00 CET",
            "09:00-16:00 +15:00",
            "09:00-16:00 UTC x",
            "+9:00-10:00",
        ] {
            assert!(hours(text).is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn steps_are_in_order() {
        let plan = Plan::default();
        assert!(plan.steps.is_sorted());
        let words: Vec<String> = plan.steps.iter().map(|step| step.word("rust")).collect();
        assert_eq!(words, ["shadow", "1%", "5%", "25%", "50%", "100%", "rust"]);
    }
}
