//! What Ficus itself signs: visitor cookies, pins after a write, and the tokens by which testers choose a side.
//!
//! Shape: `content "." signature`, both URL-safe; the keys are derived from one secret, one for each purpose, so that no
//! token can stand in for another. All nodes have the secret, so that they agree without sharing anything else. Time
//! comes in as an argument, in unix seconds.

use flask_compat::signing::{Digest, KeyDerivation, Signer, base64};
use serde::{Deserialize, Serialize};

use crate::settings::Secret;

/// Which of a route's two backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The backend being tried.
    Candidate,
    /// The backend that is safe.
    Fallback,
}

impl Side {
    /// The word on the command line and in tokens.
    pub fn word(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Fallback => "fallback",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Candidate, Self::Fallback].into_iter().find(|side| side.word() == word)
    }
}

/// What a tester's token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// The side.
    pub side: Side,
    /// For which routes: a name, `customers.*`, or `*`.
    pub scope: String,
    /// Until when, in unix seconds.
    pub expires: i64,
}

impl Choice {
    /// Whether it is meant for a route.
    pub fn covers(&self, route: &str) -> bool {
        match self.scope.strip_suffix('*') {
            Some(prefix) => route.starts_with(prefix),
            None => self.scope == route,
        }
    }
}

/// Why a tester's token is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody who has the key made it.
    Signature,
    /// Its time is over.
    Expired,
    /// It is for other routes.
    Scope,
}

/// Signs and checks.
#[derive(Debug, Clone)]
pub struct Tokens {
    visitor: Signer,
    pin: Signer,
    tester: Signer,
}

impl Tokens {
    /// With the secret that all nodes share.
    pub fn new(secret: &Secret) -> Self {
        let signer = |salt| Signer::new(&[secret.0.as_bytes()], salt, KeyDerivation::Hmac, Digest::Sha256);
        Self {
            visitor: signer("ficus.visitor.1"),
            pin: signer("ficus.pin.1"),
            tester: signer("ficus.tester.1"),
        }
    }

    /// A token by which a tester chooses a side.
    pub fn tester(&self, choice: &Choice) -> String {
        sign(&self.tester, &format!("{}|{}|{}", choice.side.word(), choice.expires, choice.scope))
    }

    /// What a tester's token says about a route.
    ///
    /// # Errors
    /// When it is not to be followed.
    pub fn chosen(&self, token: &str, route: &str, now: i64) -> Result<Choice, Refusal> {
        let content = unsign(&self.tester, token).ok_or(Refusal::Signature)?;
        let choice = read(&content).ok_or(Refusal::Signature)?;
        match choice {
            _ if choice.expires <= now => Err(Refusal::Expired),
            _ if !choice.covers(route) => Err(Refusal::Scope),
            choice => Ok(choice),
        }
    }

    /// A pin to a side of a group.
    pub(super) fn pin(&self, side: Side, group: &str, expires: i64) -> String {
        sign(&self.pin, &format!("{}|{expires}|{group}", side.word()))
    }

    /// The side that a pin names, while it holds.
    pub(super) fn pinned(&self, token: &str, group: &str, now: i64) -> Option<Side> {
        let pin = read(&unsign(&self.pin, token)?)?;
        (pin.scope == group && pin.expires > now).then_some(pin.side)
    }

    /// The cookie of a visitor.
    pub(super) fn visitor(&self, id: &str) -> String {
        self.visitor.sign(id)
    }

    /// The visitor of a cookie.
    pub(super) fn visitor_of<'t>(&self, token: &'t str) -> Option<&'t str> {
        self.visitor.unsign(token).ok().map(|unsigned| unsigned.value)
    }
}

fn sign(signer: &Signer, content: &str) -> String {
    signer.sign(&base64::encode(content.as_bytes()))
}

fn unsign(signer: &Signer, token: &str) -> Option<String> {
    let content = signer.unsign(token).ok()?.value;
    String::from_utf8(base64::decode(content.as_bytes())?).ok()
}

/// `side|expires|scope`.
fn read(content: &str) -> Option<Choice> {
    let mut parts = content.splitn(3, '|');
    let side = Side::from_word(parts.next()?)?;
    let expires = parts.next()?.parse().ok()?;
    Some(Choice { side, expires, scope: parts.next()?.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn tokens(secret: &str) -> Tokens {
        Tokens::new(&Secret(secret.to_owned()))
    }

    fn choice(scope: &str) -> Choice {
        Choice { side: Side::Candidate, scope: scope.to_owned(), expires: NOW + 60 }
    }

    #[test]
    fn a_testers_token_is_good_for_its_routes_and_its_time() {
        let cases = [
            ("customers.list", "customers.list", NOW, Ok(())),
            ("customers.*", "customers.list", NOW, Ok(())),
            ("*", "customers.list", NOW + 59, Ok(())),
            ("customers.list", "customers.lists", NOW, Err(Refusal::Scope)),
            ("customers.*", "deals.list", NOW, Err(Refusal::Scope)),
            ("*", "customers.list", NOW + 60, Err(Refusal::Expired)),
        ];
        for (scope, route, now, expected) in cases {
            let token = tokens("key").tester(&choice(scope));
            assert_eq!(tokens("key").chosen(&token, route, now).map(drop), expected, "{scope} {route}");
        }
    }

    #[test]
    fn nobody_without_the_key_makes_a_token() {
        let token = tokens("another key").tester(&choice("*"));
        assert_eq!(tokens("key").chosen(&token, "a", NOW), Err(Refusal::Signature));
        let good = tokens("key").tester(&choice("customers.list"));
        let (_, signature) = good.split_once('.').unwrap();
        let forged = format!("{}.{signature}", base64::encode(b"candidate|9999999999|*"));
        for bad in [forged.as_str(), "", ".", "x.y", &good[1..]] {
            assert_eq!(tokens("key").chosen(bad, "customers.list", NOW), Err(Refusal::Signature), "{bad}");
        }
    }

    #[test]
    fn a_token_for_one_purpose_is_none_for_another() {
        let pin = tokens("key").pin(Side::Candidate, "*", NOW + 60);
        assert_eq!(tokens("key").chosen(&pin, "a", NOW), Err(Refusal::Signature));
        let tester = tokens("key").tester(&choice("customers"));
        assert_eq!(tokens("key").pinned(&tester, "customers", NOW), None);
    }

    #[test]
    fn a_pin_holds_for_its_group_and_its_time() {
        let pin = tokens("key").pin(Side::Fallback, "customers", NOW + 10);
        assert_eq!(tokens("key").pinned(&pin, "customers", NOW + 9), Some(Side::Fallback));
        assert_eq!(tokens("key").pinned(&pin, "customers", NOW + 10), None);
        assert_eq!(tokens("key").pinned(&pin, "deals", NOW), None);
        assert_eq!(tokens("another key").pinned(&pin, "customers", NOW), None);
    }

    #[test]
    fn a_visitor_cannot_pick_an_id() {
        let cookie = tokens("key").visitor("abc");
        assert_eq!(tokens("key").visitor_of(&cookie), Some("abc"));
        assert_eq!(tokens("another key").visitor_of(&cookie), None);
        assert_eq!(tokens("key").visitor_of("abc"), None);
    }

    #[test]
    fn a_dump_shows_no_key() {
        assert!(!format!("{:?}", tokens("very secret")).contains("very"));
    }
}
