//! Comparison by meaning. Pure: two answers, rules and the time go in, differences come out.
//!
//! `Judge::compare` is the way through: status, headers, redirect, cookies, body. Each part reports differences to
//! `findings`, which asks the rules. A comparison that could not be made in full is never a match.

mod align;
mod answer;
mod body;
mod cookies;
mod csrf;
mod design;
mod findings;
mod headers;
mod html;
mod json;
mod lines;
mod moment;
mod path;
mod redirect;
mod session;

use std::collections::BTreeMap;

use flask_compat::Profile;
use flask_compat::csrf::Csrf;
use flask_compat::session::{SessionCodec, SessionConfig};

pub use answer::{Answer, Asked, Case};
pub use design::{Design, Side};
pub use findings::{Difference, Incomparable, Kind};
pub use path::{CookiePart, Element, HtmlPart, Path, Step};

pub(super) use findings::Findings;
use session::Sessions;

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// The answers mean the same.
    Match,
    /// They mean the same, and both bodies are empty: this says little.
    Empty,
    /// What differs is allowed.
    Ignored,
    /// They differ.
    Mismatch,
    /// They could not be compared in full.
    Incomparable,
}

impl Verdict {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Empty => "empty",
            Self::Ignored => "ignored",
            Self::Mismatch => "mismatch",
            Self::Incomparable => "incomparable",
        }
    }
}

/// What a comparison found.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What it comes to.
    pub verdict: Verdict,
    /// What differs and is not allowed to.
    pub differences: Vec<Difference>,
    /// Differences beyond the most that are kept.
    pub more: usize,
    /// How often each rule was needed: the path of a rule, or `built-in NAME`.
    pub ignored: BTreeMap<String, u64>,
    /// Why it could not be made in full.
    pub incomparable: Option<Incomparable>,
}

/// Compares answers of one Flask application and of what takes its place.
pub struct Judge {
    session_cookie: String,
    profile: Profile,
    /// Without the secret key sessions and tokens stay closed.
    keys: Option<Keys>,
}

struct Keys {
    codec: SessionCodec,
    csrf: Csrf,
}

/// The keys stay out of dumps.
impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("session_cookie", &self.session_cookie).finish_non_exhaustive()
    }
}

impl Judge {
    /// For an application with this secret key, session cookie and Werkzeug.
    pub fn new(secret_key: Option<&str>, session_cookie: &str, profile: Profile) -> Self {
        let keys = secret_key.map(|key| {
            let mut config = SessionConfig::new(profile);
            session_cookie.clone_into(&mut config.cookie_name);
            Keys { codec: SessionCodec::new(&[key], config), csrf: Csrf::new(&[key], profile) }
        });
        Self { session_cookie: session_cookie.to_owned(), profile, keys }
    }

    /// Compares.
    pub fn compare(&self, case: &Case<'_>) -> Comparison {
        self.compare_apart(case, None)
    }

    /// Compares where each side was asked with cookies of its own: those of the candidate.
    pub fn compare_apart(&self, case: &Case<'_>, cookies: Option<&[u8]>) -> Comparison {
        let mut findings = Findings::new(case.rules, case.now.date_naive(), case.design);
        if status_is_settled(case, &mut findings) {
            let sessions = Sessions::of(self, case, cookies);
            headers::compare(case, &mut findings);
            redirect::compare(case, &mut findings);
            cookies::compare(case, &sessions, &mut findings);
            body::compare(case, &sessions, &mut findings);
        }
        let empty =
            case.reference.status == 200 && case.reference.body.is_empty() && case.candidate.body.is_empty();
        finish(findings, empty)
    }
}

/// Two answers of different status have nothing else in common that would be worth a look.
fn status_is_settled(case: &Case<'_>, findings: &mut Findings<'_>) -> bool {
    let (one, other) = (case.reference.status, case.candidate.status);
    one == other
        || !findings
            .report(Difference::changed(Path::Status, one.to_string(), other.to_string()).in_own_words())
}

fn finish(findings: Findings<'_>, empty: bool) -> Comparison {
    let verdict = if !findings.differences.is_empty() {
        Verdict::Mismatch
    } else if findings.incomparable.is_some() {
        Verdict::Incomparable
    } else if !findings.ignored.is_empty() {
        Verdict::Ignored
    } else if empty {
        Verdict::Empty
    } else {
        Verdict::Match
    };
    let Findings { differences, more, ignored, incomparable, .. } = findings;
    Comparison { verdict, differences, more, ignored, incomparable }
}

#[cfg(test)]
mod cases;
#[cfg(test)]
mod properties;
