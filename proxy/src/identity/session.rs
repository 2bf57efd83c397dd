//! The user id in Flask's session cookie.
//!
//! Reads only; nothing that is wrong with a cookie is an error here: it makes the visitor unknown.

use std::net::IpAddr;

use flask_compat::Profile;
use flask_compat::cookie::Cookies;
use flask_compat::session::{SessionCodec, SessionConfig};

use super::Identity;
use crate::settings::Flask;

/// Reads identities for one Flask application.
#[derive(Clone)]
pub struct Reader {
    cookie: String,
    profile: Profile,
    /// Without the secret nobody's cookie can be believed.
    codec: Option<SessionCodec>,
}

/// The codec holds the secret.
impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("cookie", &self.cookie).finish_non_exhaustive()
    }
}

impl Reader {
    /// A reader for the application that `flask` describes.
    pub fn new(flask: &Flask) -> Self {
        let codec = |secret: &crate::settings::Secret| {
            SessionCodec::new(&[secret.0.as_bytes()], SessionConfig::new(flask.profile))
        };
        Self {
            cookie: flask.session_cookie.clone(),
            profile: flask.profile,
            codec: flask.secret_key.as_ref().map(codec),
        }
    }

    /// The identity of a request: the user of the session cookie, else the address. `cookies` are the Cookie headers'
    /// values, `now` is in unix seconds.
    pub fn identify<'a>(
        &self,
        cookies: impl Iterator<Item = &'a [u8]>,
        address: IpAddr,
        now: i64,
    ) -> Identity {
        self.user(cookies, now).map_or(Identity::Address(address), Identity::User)
    }

    fn user<'a>(&self, cookies: impl Iterator<Item = &'a [u8]>, now: i64) -> Option<String> {
        let codec = self.codec.as_ref()?;
        let header = cookies.collect::<Vec<_>>().join(&b"; "[..]);
        let cookies = Cookies::parse(&header, self.profile);
        codec.load(Some(cookies.get(&self.cookie)?), now).ok()?.user_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;
    use flask_compat::session::{Map, Value};

    const NOW: i64 = 1_700_000_000;

    fn reader(secret: Option<&str>) -> Reader {
        Reader::new(&Flask {
            secret_key: secret.map(|text| Secret(text.to_owned())),
            session_cookie: "session".to_owned(),
            profile: Profile::Werkzeug10,
        })
    }

    fn cookie(secret: &str) -> String {
        let codec = SessionCodec::new(&[secret], SessionConfig::new(Profile::Werkzeug10));
        let session = Map::from_iter([("_user_id".to_owned(), Value::Str("7".to_owned()))]);
        format!("session={}", codec.encode(&session, NOW))
    }

    #[track_caller]
    fn check(reader: &Reader, cookies: &[&str], expected: Option<&str>) {
        let address = "192.0.2.1".parse().unwrap();
        let identity = reader.identify(cookies.iter().map(|cookie| cookie.as_bytes()), address, NOW + 60);
        assert_eq!(identity.user(), expected);
    }

    #[test]
    fn a_logged_in_user_is_known_by_the_session() {
        check(&reader(Some("key")), &[&cookie("key")], Some("7"));
        check(&reader(Some("key")), &["theme=dark", &cookie("key")], Some("7"));
    }

    #[test]
    fn everybody_else_is_known_by_the_address() {
        check(&reader(Some("key")), &[], None);
        check(&reader(Some("key")), &[&cookie("another key")], None);
        check(&reader(Some("key")), &["session=nonsense"], None);
        check(&reader(None), &[&cookie("key")], None);
    }

    #[test]
    fn a_dump_shows_no_secret() {
        assert!(!format!("{:?}", reader(Some("very secret"))).contains("very"));
    }
}
