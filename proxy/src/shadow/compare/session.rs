//! The sessions that go with two answers: what the cookie of the answer says, else that of the request.

use flask_compat::Profile;
use flask_compat::cookie::Cookies;
use flask_compat::csrf::Csrf;
use flask_compat::session::{Map, Session, write_tagged_json};

use super::Judge;
use super::answer::Case;
use super::cookies::{Sent, is_deleted, sent};
use super::csrf::Tokens;
use super::findings::{Difference, Findings, Incomparable};
use super::json::{self, Json, Root};
use super::path::{CookiePart, Path};

/// Where Flask keeps messages for the next page.
const FLASHES: &str = "_flashes";

/// The sessions of one case.
pub(super) struct Sessions<'a> {
    pub(super) cookie: &'a str,
    csrf: Option<&'a Csrf>,
    now: i64,
    asked: State,
    /// Where the candidate was asked with cookies of its own.
    asked_apart: Option<State>,
    reference: Option<State>,
    candidate: Option<State>,
    profile: Profile,
}

/// A session cookie.
#[derive(Debug)]
enum State {
    /// There is none, or it was deleted.
    None,
    /// Nobody here can read it: its raw text.
    Closed(String),
    /// Signed by somebody else, expired, or beyond what can be read.
    Broken,
    Open(Session),
}

impl<'a> Sessions<'a> {
    pub(super) fn of(judge: &'a Judge, case: &Case<'_>, apart: Option<&[u8]>) -> Self {
        let now = case.now.timestamp();
        let read = |value: &str| read(judge, value, now);
        let of_answer = |answer| {
            let cookie: Option<Sent> = sent(answer).remove(&judge.session_cookie);
            cookie.map(|cookie| if is_deleted(&cookie, now) { State::None } else { read(&cookie.value) })
        };
        let asked = |cookies: &[u8]| {
            let cookies = Cookies::parse(cookies, judge.profile);
            cookies.get(&judge.session_cookie).map_or(State::None, read)
        };
        Self {
            cookie: &judge.session_cookie,
            csrf: judge.keys.as_ref().map(|keys| &keys.csrf),
            now,
            asked: asked(&case.asked.cookies),
            asked_apart: apart.map(asked),
            reference: of_answer(case.reference),
            candidate: of_answer(case.candidate),
            profile: judge.profile,
        }
    }

    /// What recognises the tokens of the reference, or of the candidate.
    pub(super) fn tokens(&self, of_reference: bool) -> Tokens<'_> {
        let (own, asked) = if of_reference {
            (&self.reference, &self.asked)
        } else {
            (&self.candidate, self.asked_apart.as_ref().unwrap_or(&self.asked))
        };
        let session = match own.as_ref().unwrap_or(asked) {
            State::Open(session) => Some(session),
            _ => None,
        };
        Tokens { csrf: self.csrf, session, now: self.now }
    }

    /// Reports what differs between two session cookies that are both set.
    pub(super) fn compare(&self, findings: &mut Findings<'_>) {
        let (Some(one), Some(other)) = (&self.reference, &self.candidate) else { return };
        match (one, other) {
            (State::Open(one), State::Open(other)) => self.open(one.data(), other.data(), findings),
            (State::Closed(one), State::Closed(other)) if one == other => {}
            (State::Closed(_), State::Closed(_)) => findings.cannot(Incomparable::NoSecret),
            (State::None, State::None) | (State::Broken, State::Broken) => {}
            (one, other) => {
                let path = Path::Cookie { name: self.cookie.to_owned(), part: CookiePart::Value };
                findings.report(Difference::changed(path, one.word(), other.word()).in_own_words());
            }
        }
    }

    fn open(&self, one: &Map, other: &Map, findings: &mut Findings<'_>) {
        let field = self.csrf.map_or("csrf_token", |csrf| csrf.field_name.as_str());
        self.secrets((one, other), field, findings);
        let part = |map: &Map, wanted: &dyn Fn(&str) -> bool| {
            let part = map.iter().filter(|(key, _)| wanted(key));
            let part: Map = part.map(|(key, value)| (key.clone(), value.clone())).collect();
            json::read(&write_tagged_json(&part, true, false)).unwrap_or(Json::Null)
        };
        let flashes = |map: &Map| match part(map, &|key| key == FLASHES) {
            Json::Object(mut entries) => entries.pop().map_or(Json::List(Vec::new()), |(_, value)| value),
            other => other,
        };
        json::walk(Root::Flash, &flashes(one), &flashes(other), findings);
        let rest = |map: &Map| part(map, &|key| key != FLASHES && key != field);
        json::walk(Root::Session(self.cookie), &rest(one), &rest(other), findings);
    }

    /// A secret that was there already must stay; one that was just made is random.
    fn secrets(&self, maps: (&Map, &Map), field: &str, findings: &mut Findings<'_>) {
        let secret = |map: &Map| map.get(field).and_then(|value| value.as_str().map(str::to_owned));
        let (one, other) = (secret(maps.0), secret(maps.1));
        let known = |asked: &State| match asked {
            State::Open(session) => secret(session.data()),
            _ => None,
        };
        let (known, known_apart) =
            (known(&self.asked), known(self.asked_apart.as_ref().unwrap_or(&self.asked)));
        let differs =
            if self.asked_apart.is_some() { (one == known) != (other == known_apart) } else { one != other };
        if one.is_some() != other.is_some() {
            let shown = |secret: Option<String>| secret.map(|_| "a secret".to_owned());
            findings.report(Difference::one_sided(Path::Csrf, shown(one), shown(other)).in_own_words());
        } else if known.is_some() && known_apart.is_some() && differs {
            let word = |as_before: bool| if as_before { "as before" } else { "another secret" };
            let (one, other) = (word(one == known), word(other == known_apart));
            findings.report(Difference::changed(Path::Csrf, one, other).in_own_words());
        }
    }

    /// The profile that cookies are read by.
    pub(super) fn profile(&self) -> Profile {
        self.profile
    }
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            Self::None => "deleted",
            Self::Closed(_) => "a session that cannot be read",
            Self::Broken => "a session that Flask does not take",
            Self::Open(_) => "a session",
        }
    }
}

fn read(judge: &Judge, value: &str, now: i64) -> State {
    let Some(keys) = &judge.keys else { return State::Closed(value.to_owned()) };
    if value.is_empty() {
        return State::None;
    }
    match keys.codec.load(Some(value), now) {
        // What is signed is never empty: Flask deletes the cookie of an empty session.
        Ok(session) if session.data().is_empty() => State::Broken,
        Ok(session) => State::Open(session),
        Err(_) => State::Broken,
    }
}
