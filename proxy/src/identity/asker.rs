//! Everything about the one who asks that a canary may depend on, and the cookies that keep it so.
//!
//! The identity is Flask's user, else the visitor of Ficus' own cookie, else the address. A browser that has no visitor
//! cookie gets one, and is that visitor from this request on; other clients (scripts, API clients) get no cookie.

use std::cell::LazyCell;
use std::hash::Hasher;
use std::net::IpAddr;
use std::ops::Deref;

use flask_compat::cookie::{Cookies, SameSite, SetCookie};
use flask_compat::signing::base64;
use siphasher::sip::SipHasher13;

use super::session::FlaskCookies;
use super::{Identity, Refusal, Side, Tokens};
use crate::settings::Settings;

/// The header in which a tester's token is sent.
pub const TESTER_HEADER: &str = "x-ficus-tester";
/// The cookie in which a tester's token is kept.
pub const TESTER_COOKIE: &str = "ficus_tester";
/// How long a browser keeps its visitor cookie, in seconds: 90 days.
const VISITOR_AGE: i64 = 90 * 24 * 60 * 60;

/// Who asks, and what was said about the side.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Who asks.
    pub identity: Identity,
    /// The user's roles.
    pub roles: Vec<String>,
    /// The client's address, if it is known.
    pub address: Option<IpAddr>,
    /// The side that a tester chose for this route.
    pub chosen: Option<Side>,
    /// Why a tester's token was not followed.
    pub refused: Option<Refusal>,
    /// The side that answered a write a moment ago.
    pub pinned: Option<Side>,
}

impl Asker {
    /// Somebody about whom nothing else is known.
    pub fn new(identity: Identity) -> Self {
        let address = match &identity {
            Identity::Address(address) => Some(*address),
            Identity::User(_) | Identity::Visitor(_) => None,
        };
        Self { identity, roles: Vec::new(), address, chosen: None, refused: None, pinned: None }
    }
}

/// The parts of a request that say who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// All Cookie headers, joined with `; `.
    pub cookies: &'a [u8],
    /// The header of [`TESTER_HEADER`].
    pub tester: Option<&'a str>,
    /// The client's address.
    pub address: IpAddr,
    /// Whether the client is a browser, as far as can be seen: it keeps cookies.
    pub browser: bool,
    /// In unix seconds.
    pub now: i64,
}

/// Which canary is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The route.
    pub route: &'a str,
    /// The canary's group.
    pub group: &'a str,
}

/// Reads identities for one Flask application.
#[derive(Clone)]
pub struct Reader {
    flask: FlaskCookies,
    tokens: Option<Tokens>,
    visitor_cookie: Option<String>,
}

/// The readers hold secrets.
impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("visitor_cookie", &self.visitor_cookie).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader for the application and the canaries that the settings describe. What Ficus signs, it signs with
    /// `canary.secret_key`, else with Flask's secret.
    pub fn new(settings: &Settings) -> Self {
        let secret = settings.canary.secret_key.as_ref().or(settings.flask.secret_key.as_ref());
        Self {
            flask: FlaskCookies::new(&settings.flask),
            tokens: secret.map(Tokens::new),
            visitor_cookie: settings.canary.visitor_cookie.clone(),
        }
    }

    /// What signs tokens; absent: no secret is set.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// The user that the cookies name, else the address: for what concerns whoever sends requests, not a canary.
    pub fn user_or_address(&self, cookies: &[u8], address: IpAddr, now: i64) -> Identity {
        let parsed = LazyCell::new(|| Cookies::parse(cookies, self.flask.profile));
        let user = self.flask.recent_user(cookies, || &parsed, now);
        user.map_or(Identity::Address(address), |user| Identity::User(user.id))
    }

    /// The roles of the user that the cookies name; empty: not known.
    pub fn roles(&self, cookies: &[u8], now: i64) -> Vec<String> {
        let parsed = LazyCell::new(|| Cookies::parse(cookies, self.flask.profile));
        self.flask.recent_user(cookies, || &parsed, now).map(|user| user.roles).unwrap_or_default()
    }

    /// Who asks, and the visitor's id if it is a new one. `random` is asked for 16 bytes if a new id is needed.
    pub fn ask(
        &self,
        asked: &Asked<'_>,
        scope: Scope<'_>,
        random: impl FnOnce() -> Option<[u8; 16]>,
    ) -> (Asker, Option<String>) {
        // Most requests are answered from what was found a moment ago, without a look into their cookies.
        let cookies = LazyCell::new(|| Cookies::parse(asked.cookies, self.flask.profile));
        let (identity, roles, new) = self.identity(&cookies, asked, random);
        let mut asker = Asker { roles, address: Some(asked.address), ..Asker::new(identity) };
        if let Some(tokens) =
            self.tokens.as_ref().filter(|_| asked.tester.is_some() || may_name_ours(asked.cookies))
        {
            let token = asked.tester.or_else(|| cookies.get(TESTER_COOKIE));
            match token.map(|token| tokens.chosen(token, scope.route, asked.now)) {
                Some(Ok(choice)) => asker.chosen = Some(choice.side),
                Some(Err(refusal)) => asker.refused = Some(refusal),
                None => {}
            }
            asker.pinned = cookies
                .get(&pin_cookie(scope.group))
                .and_then(|token| tokens.pinned(token, scope.group, asked.now));
        }
        (asker, new)
    }

    fn identity(
        &self,
        cookies: &impl Deref<Target = Cookies>,
        asked: &Asked<'_>,
        random: impl FnOnce() -> Option<[u8; 16]>,
    ) -> (Identity, Vec<String>, Option<String>) {
        if let Some(user) = self.flask.recent_user(asked.cookies, || cookies, asked.now) {
            return (Identity::User(user.id), user.roles, None);
        }
        if let Some(id) = self.visitor(cookies) {
            return (Identity::Visitor(id), Vec::new(), None);
        }
        let wanted = asked.browser && self.visitor_cookie.is_some();
        match wanted.then(random).flatten() {
            Some(bytes) => {
                let id = base64::encode(&bytes);
                (Identity::Visitor(id.clone()), Vec::new(), Some(id))
            }
            None => (Identity::Address(asked.address), Vec::new(), None),
        }
    }

    fn visitor(&self, cookies: &Cookies) -> Option<String> {
        let text = cookies.get(self.visitor_cookie.as_ref()?)?;
        let id = match &self.tokens {
            Some(tokens) => tokens.visitor_of(text)?,
            None => text,
        };
        let fine =
            id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        fine.then(|| id.to_owned())
    }

    /// The Set-Cookie header that makes a browser this visitor.
    pub fn visitor_header(&self, id: &str, secure: bool) -> Option<String> {
        let name = self.visitor_cookie.as_ref()?;
        let value = self.tokens.as_ref().map_or_else(|| id.to_owned(), |tokens| tokens.visitor(id));
        Some(self.header(name, value, VISITOR_AGE, secure))
    }

    /// The Set-Cookie header that keeps a user on the side that answered a write. Without a secret nobody is pinned.
    pub fn pin_header(&self, side: Side, group: &str, times: (i64, i64), secure: bool) -> Option<String> {
        let (now, seconds) = times;
        let token = self.tokens.as_ref()?.pin(side, group, now.saturating_add(seconds));
        Some(self.header(&pin_cookie(group), token, seconds, secure))
    }

    fn header(&self, name: &str, value: String, max_age: i64, secure: bool) -> String {
        let cookie = SetCookie {
            max_age: Some(max_age),
            secure,
            http_only: true,
            same_site: Some(SameSite::Lax),
            ..SetCookie::new(name, value, self.flask.profile)
        };
        cookie.header_value()
    }
}

/// Whether a cookie of Ficus' own could be among these. Their names begin alike; an old Werkzeug also takes names with
/// escapes in them, so those are looked at.
fn may_name_ours(cookies: &[u8]) -> bool {
    let names_one = |at: usize| cookies[at..].starts_with(b"ficus_");
    memchr::memchr2_iter(b'f', b'\\', cookies).any(|at| cookies[at] == b'\\' || names_one(at))
}

/// The name of a group's pin: groups do not overwrite each other's.
fn pin_cookie(group: &str) -> String {
    let mut hasher = SipHasher13::new_with_keys(super::KEY.0, super::KEY.1);
    hasher.write(group.as_bytes());
    format!("ficus_pin_{:08x}", hasher.finish() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Inputs, Secret, load};

    const NOW: i64 = 1_700_000_000;
    const SCOPE: Scope<'static> = Scope { route: "customers.list", group: "customers" };

    fn reader(secret: Option<&str>) -> Reader {
        let mut settings = load(&Inputs::default()).0.unwrap();
        settings.flask.secret_key = secret.map(|text| Secret(text.to_owned()));
        Reader::new(&settings)
    }

    fn asked(cookies: &str, browser: bool) -> Asked<'_> {
        Asked {
            cookies: cookies.as_bytes(),
            tester: None,
            address: "192.0.2.1".parse().unwrap(),
            browser,
            now: NOW,
        }
    }

    fn pair(header: &str) -> String {
        header.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_browser_becomes_a_visitor_at_once_and_stays_one() {
        for secret in [None, Some("key")] {
            let reader = reader(secret);
            let (first, new) = reader.ask(&asked("", true), SCOPE, || Some([7; 16]));
            let header = reader.visitor_header(&new.unwrap(), true).unwrap();
            for attribute in ["Max-Age=7776000", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(header.contains(attribute), "{header}");
            }
            let cookies = pair(&header);
            let (second, new) = reader.ask(&asked(&cookies, true), SCOPE, || Some([8; 16]));
            assert_eq!((second.identity, new), (first.identity, None), "{secret:?}");
        }
    }

    #[test]
    fn a_script_goes_by_its_address_and_gets_no_cookie() {
        let (asker, new) = reader(Some("key")).ask(&asked("", false), SCOPE, || Some([7; 16]));
        assert!(matches!(asker.identity, Identity::Address(_)) && new.is_none());
    }

    #[test]
    fn a_visitor_cookie_that_was_made_up_is_replaced() {
        for cookie in ["ficus_visitor=AAAAAAAAAAAAAAAAAAAAAA", "ficus_visitor=x", "ficus_visitor="] {
            let (_, new) = reader(Some("key")).ask(&asked(cookie, true), SCOPE, || Some([7; 16]));
            assert!(new.is_some(), "{cookie}");
        }
    }

    #[test]
    fn a_pin_is_read_back_for_its_group_only() {
        let reader = reader(Some("key"));
        let header = reader.pin_header(Side::Candidate, "customers", (NOW, 10), false).unwrap();
        assert!(header.contains("Max-Age=10") && !header.contains("Secure"), "{header}");
        let cookies = pair(&header);
        let pinned = |scope| reader.ask(&asked(&cookies, false), scope, || None).0.pinned;
        assert_eq!(pinned(SCOPE), Some(Side::Candidate));
        assert_eq!(pinned(Scope { group: "deals", ..SCOPE }), None);
    }

    #[test]
    fn a_tester_chooses_by_header_or_cookie() {
        let reader = reader(Some("key"));
        let choice = super::super::Choice { side: Side::Candidate, scope: "*".into(), expires: NOW + 9 };
        let token = reader.tokens().unwrap().tester(&choice);
        let cookie = format!("{TESTER_COOKIE}={token}");
        assert_eq!(reader.ask(&asked(&cookie, false), SCOPE, || None).0.chosen, Some(Side::Candidate));
        let by_header = Asked { tester: Some(&token), ..asked("", false) };
        assert_eq!(reader.ask(&by_header, SCOPE, || None).0.chosen, Some(Side::Candidate));
        let forged = Asked { tester: Some("made.up"), ..asked("", false) };
        let asker = reader.ask(&forged, SCOPE, || None).0;
        assert_eq!((asker.chosen, asker.refused), (None, Some(Refusal::Signature)));
    }

    #[test]
    fn without_a_secret_nobody_is_pinned_and_nobody_chooses() {
        let reader = reader(None);
        assert!(reader.tokens().is_none());
        assert!(reader.pin_header(Side::Candidate, "customers", (NOW, 10), false).is_none());
        let by_header = Asked { tester: Some("made.up"), ..asked("", false) };
        assert_eq!(reader.ask(&by_header, SCOPE, || None).0.chosen, None);
    }

    #[test]
    fn a_dump_shows_no_secret() {
        assert!(!format!("{:?}", reader(Some("very secret"))).contains("very"));
    }
}
