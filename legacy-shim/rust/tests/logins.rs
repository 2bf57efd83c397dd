//! Flask-Login, against the real 0.5.0 (on Flask 1.1.2) and 0.6.3 (on 2.3.3 and 3.1.3): whole requests.

#![allow(clippy::unwrap_used)]

mod support;

use flask_compat::answer::redirect;
use flask_compat::cookie::Cookies;
use flask_compat::flash::flash;
use flask_compat::login::{
    LoginConfig, LoginOptions, Protected, RememberKey, client_address, confirm_login, identifier, login_url,
    login_user, logout_user, next_param, protect, remember_cookie, remembered_user, session_user,
};
use flask_compat::session::{Session, SessionCodec, SessionConfig, write_tagged_json};
use flask_compat::url::RequestUrl;
use serde_json::Value;
use support::{ENVIRONMENTS, cases, login_config, text, vectors};

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

#[test]
fn identifies_browsers_like_flask_login() {
    for (environment, _) in ENVIRONMENTS {
        let vectors = vectors(environment, "login");
        for case in cases(&vectors, "identifiers") {
            let forwarded = case["forwarded"].as_str().map(latin1);
            let agent = case["agent"].as_str().map(latin1);
            let address = client_address(forwarded.as_deref(), case["peer"].as_str());
            assert_eq!(
                identifier(address.as_deref(), agent.as_deref()),
                text(case, "id"),
                "{environment}: {case}"
            );
        }
    }
}

#[test]
fn signs_remember_cookies_like_flask_login() {
    for (environment, _) in ENVIRONMENTS {
        let vectors = vectors(environment, "login");
        for case in cases(&vectors, "remember") {
            let key = RememberKey::new(text(case, "secret")).unwrap();
            let cookie = text(case, "cookie");
            assert_eq!(key.encode(text(case, "user")), cookie);
            assert_eq!(key.decode(cookie), Some(text(case, "user")));
            assert_eq!(RememberKey::new("other").unwrap().decode(cookie), None);
            assert_eq!(key.decode(&cookie[..cookie.len() - 1]), None);
        }
    }
    assert!(RememberKey::new("not latin-1: €").is_err());
}

struct Request<'a> {
    session: Session,
    cookies: Cookies,
    key: RememberKey,
    config: LoginConfig,
    ident: String,
    path: &'a str,
}

impl Request<'_> {
    /// The user, as `current_user` finds it; only 1 and 2 are known.
    fn user(&mut self) -> Option<String> {
        let known = |user: Option<String>| user.filter(|user| ["1", "2"].contains(&user.as_str()));
        if protect(&mut self.session, &self.ident, &self.config) == Protected::Ended {
            return None;
        }
        known(session_user(&self.session))
            .or_else(|| known(remembered_user(&mut self.session, &self.cookies, &self.key, &self.config)))
    }

    fn answer(&mut self, url: &RequestUrl) -> (u64, Option<String>, String) {
        let options = LoginOptions { remember: self.path.contains("remember"), ..LoginOptions::default() };
        let ok = (200, None, "ok".to_owned());
        match self.path.split('?').next().unwrap() {
            "/public" => ok,
            "/me" => match self.user() {
                Some(_) => ok,
                None => self.refuse(url),
            },
            "/who" => (200, None, format!("user {}", self.user().unwrap_or_else(|| "None".to_owned()))),
            "/login" => {
                login_user(&mut self.session, "2", &self.ident, options);
                ok
            }
            "/login-for" => {
                let options = LoginOptions { remember: true, remember_seconds: Some(90.0), fresh: true };
                login_user(&mut self.session, "2", &self.ident, options);
                ok
            }
            "/logout" => {
                // logout_user() asks who it is first, for its signal.
                self.user();
                let has_cookie = self.cookies.get(&self.config.cookie_name).is_some();
                logout_user(&mut self.session, has_cookie);
                ok
            }
            "/confirm" => {
                confirm_login(&mut self.session, &self.ident);
                ok
            }
            other => panic!("{other}"),
        }
    }

    fn refuse(&mut self, url: &RequestUrl) -> (u64, Option<String>, String) {
        flash(&mut self.session, self.config.login_message.clone(), "warning");
        let target = if self.config.session_for_next {
            self.session.insert("_id", self.ident.as_str());
            self.session.insert("next", next_param("/login", &url.url()));
            "/login".to_owned()
        } else {
            login_url("/login", &url.url(), self.config.version, None)
        };
        (302, Some(redirect(&target, url).location), String::new())
    }
}

/// A session cookie with its content in clear: compressed bytes depend on the zlib at hand.
fn decoded(cookie: &Value, codec: &SessionCodec, now: i64) -> Value {
    let text = cookie.as_str().unwrap();
    let Some((value, rest)) = text.strip_prefix("session=").and_then(|text| text.split_once("; ")) else {
        return cookie.clone();
    };
    let session = codec.load(Some(value), now).unwrap();
    format!("session={}; {rest}", write_tagged_json(session.data(), true, true)).into()
}

#[test]
fn answers_whole_requests_like_flask_login() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "login");
        let now = vectors["now"].as_i64().unwrap();
        let secret = text(&vectors, "secret");
        let codec = SessionCodec::new(&[secret], SessionConfig::new(profile));
        for case in cases(&vectors, "flows") {
            let cookies = Cookies::parse(case["cookie"].as_str().unwrap_or_default().as_bytes(), profile);
            let path = text(case, "path");
            // The test client of Python escapes the blank by itself.
            let url = RequestUrl::new("http", "crm.example.com", &path.replace(' ', "%20"), profile);
            let mut request = Request {
                session: codec.load(cookies.get("session"), now).unwrap(),
                cookies,
                key: RememberKey::new(secret).unwrap(),
                config: login_config(&case["config"], profile),
                ident: identifier(Some(b"127.0.0.1"), Some(b"agent")),
                path,
            };
            let (status, location, body) = request.answer(&url);
            let remembered = remember_cookie(&mut request.session, &request.key, &request.config, now);
            let sent = remembered.into_iter().chain(codec.save(&request.session, now));
            let set_cookie: Vec<Value> = sent.map(|cookie| cookie.header_value().into()).collect();
            let set_cookie =
                Value::Array(set_cookie.iter().map(|cookie| decoded(cookie, &codec, now)).collect());
            let theirs =
                cases(case, "set_cookie").iter().map(|cookie| decoded(cookie, &codec, now)).collect();
            let name = format!("{environment}: {}", case["name"]);
            assert_eq!(status, case["status"].as_u64().unwrap(), "{name}");
            assert_eq!(location.as_deref(), case["location"].as_str(), "{name}");
            assert_eq!(set_cookie, Value::Array(theirs), "{name}");
            assert_eq!(codec.vary(&request.session), case["vary"] == "Cookie", "{name}: vary");
            if status == 200 {
                assert_eq!(body, text(case, "body"), "{name}");
            }
        }
    }
}
