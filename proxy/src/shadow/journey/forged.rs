//! A session that nobody logged in to: signed with the application's own key, for tests of one request.

use flask_compat::Profile;
use flask_compat::csrf::Csrf;
use flask_compat::login::{LoginOptions, identifier, login_user};
use flask_compat::session::{Map, Session, SessionCodec, SessionConfig};
use sha2::{Digest, Sha512};

/// A session cookie, and the CSRF token that belongs to it.
#[derive(Clone)]
pub struct Forged {
    /// The cookie's value.
    pub(super) cookie: String,
    /// The token.
    pub(super) token: String,
}

/// Both stay out of dumps.
impl std::fmt::Debug for Forged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Forged(…)")
    }
}

impl Forged {
    /// The browser that it is for.
    pub const AGENT: &'static str = "ficus-capsule";
    /// The address that it is for.
    pub const ADDRESS: &'static str = "127.0.0.1";

    /// For a user, or for nobody.
    pub fn session(secret: &str, profile: Profile, user: Option<&str>) -> Self {
        let now = chrono::Utc::now().timestamp();
        let mut session = Session::new(Map::default(), profile);
        if let Some(user) = user {
            let from = identifier(Some(Self::ADDRESS.as_bytes()), Some(Self::AGENT.as_bytes()));
            login_user(&mut session, user, &from, LoginOptions::default());
        }
        // Whoever knows the key can make any token; this one need not be guessed hard.
        let random: [u8; 64] = Sha512::digest(format!("{secret}{now}").as_bytes()).into();
        let token = Csrf::new(&[secret], profile).generate(&mut session, &random, now);
        let codec = SessionCodec::new(&[secret], SessionConfig::new(profile));
        Self { cookie: codec.encode(session.data(), now), token }
    }
}
