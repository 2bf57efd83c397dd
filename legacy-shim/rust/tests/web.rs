//! Whole requests through the axum side: the login flows and CSRF cases that the real Flask answered, answered by `Views`.
//! The service has its own clock, so cookies are minted anew and answers compared without their dates.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use axum::routing::{get, post};
use flask_compat::Profile;
use flask_compat::cookie::Cookies;
use flask_compat::login::{LoginConfig, Protection};
use flask_compat::routing::{Map, MapOptions, RuleSpec};
use flask_compat::session::{Map as Data, SessionCodec, SessionConfig, Value as Stored, write_tagged_json};
use flask_compat::web::{Application, Context, CurrentUser, LoadUser, MaybeUser, Views, html};
use http::Request;
use support::{ENVIRONMENTS, cases, text, vectors};
use tower::ServiceExt;

/// Users 1 and 2 are known.
struct User(String);

impl LoadUser<()> for User {
    type Error = Infallible;

    async fn load(_: &(), id: &str) -> Result<Option<Self>, Infallible> {
        Ok(["1", "2"].contains(&id).then(|| User(id.to_owned())))
    }
}

async fn me(_: CurrentUser<User>) -> Response {
    html("ok".to_owned())
}

async fn who(MaybeUser(user): MaybeUser<User>) -> Response {
    html(format!("user {}", user.map_or_else(|| "None".to_owned(), |user| user.0)))
}

async fn ok() -> Response {
    html("ok".to_owned())
}

async fn token(context: Context) -> Response {
    html(context.csrf_token())
}

fn service(secret: &str, profile: Profile, login: LoginConfig) -> Router {
    let options = MapOptions { profile, ..MapOptions::default() };
    let rules = [
        RuleSpec::new("/public", "public").methods(["GET", "OPTIONS"]),
        RuleSpec::new("/me", "me").methods(["GET"]),
        RuleSpec::new("/who", "who").methods(["GET"]),
        RuleSpec::new("/login", "log_in").methods(["GET"]),
        RuleSpec::new("/token", "token").methods(["GET"]),
        RuleSpec::new("/form", "form").methods(["GET", "POST", "PUT", "DELETE"]),
    ];
    let mut application = Application::new(secret, Map::new(options, &rules).unwrap(), profile).unwrap();
    application.login = LoginConfig {
        login_view: Some("log_in".to_owned()),
        login_message_category: "warning".to_owned(),
        ..login
    };
    Views::new(Arc::new(application))
        .add("public", get(ok))
        .add("me", get(me))
        .add("who", get(who))
        .add("token", get(token))
        .add("form", post(ok).get(ok).put(ok).delete(ok))
        .into_router(())
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A Set-Cookie value with a session in clear and without dates.
fn without_dates(cookie: &str, codec: &SessionCodec, at: i64) -> String {
    let (pair, rest) = cookie.split_once("; ").unwrap();
    let rest: Vec<&str> = rest.split("; ").filter(|part| !part.starts_with("Expires=")).collect();
    let pair = match pair.strip_prefix("session=") {
        Some(value) => write_tagged_json(codec.load(Some(value), at).unwrap().data(), true, true),
        None => pair.to_owned(),
    };
    format!("{pair}; {}", rest.join("; "))
}

struct Answer {
    status: u64,
    deferred: bool,
    location: Option<String>,
    set_cookie: Vec<String>,
    vary: bool,
    body: String,
}

async fn ask(service: &Router, request: Request<Body>) -> Answer {
    let response = service.clone().oneshot(request).await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let set_cookie = response.headers().get_all("set-cookie").iter();
    Answer {
        status: response.status().as_u16().into(),
        deferred: header("x-ficus-defer").is_some(),
        location: header("location"),
        set_cookie: set_cookie.map(|value| value.to_str().unwrap().to_owned()).collect(),
        vary: header("vary").is_some(),
        body: String::from_utf8(to_bytes(response.into_body(), 1 << 20).await.unwrap().to_vec()).unwrap(),
    }
}

fn request(method: &str, path: &str, cookie: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("host", "crm.example.com");
    let request = request.header("x-forwarded-for", "127.0.0.1").header("user-agent", "agent");
    if cookie.is_empty() { request } else { request.header("cookie", cookie) }
}

#[tokio::test]
async fn logins_go_like_in_flask() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "login");
        let (secret, then) = (text(&vectors, "secret"), vectors["now"].as_i64().unwrap());
        let codec = SessionCodec::new(&[secret], SessionConfig::new(profile));
        let mut compared = 0;
        for case in cases(&vectors, "flows") {
            let path = text(case, "path").replace(' ', "%20");
            let name = text(case, "name");
            if !["/public", "/me", "/who"].contains(&path.split('?').next().unwrap())
                || !["basic", "strong", "off"].contains(&name.split(" / ").next().unwrap())
            {
                continue;
            }
            let mut login = LoginConfig::new(profile);
            if let Some(given) = case["config"].get("SESSION_PROTECTION") {
                login.protection = if given.is_null() { Protection::Off } else { Protection::Strong };
            }
            let sent = Cookies::parse(case["cookie"].as_str().unwrap_or_default().as_bytes(), profile);
            let mut cookies = Vec::new();
            for (key, value) in sent.iter() {
                let fresh = codec.load(Some(value), then).ok().filter(|_| key == "session");
                let value =
                    fresh.map_or_else(|| value.to_owned(), |session| codec.encode(session.data(), now()));
                cookies.push(format!("{key}={value}"));
            }
            let service = service(secret, profile, login);
            let asked = request("GET", &path, &cookies.join("; ")).body(Body::empty()).unwrap();
            let ours = ask(&service, asked).await;
            let name = format!("{environment}: {name}");
            assert_eq!(ours.status, case["status"].as_u64().unwrap(), "{name}");
            assert_eq!(ours.location.as_deref(), case["location"].as_str(), "{name}");
            let shown: Vec<String> =
                ours.set_cookie.iter().map(|cookie| without_dates(cookie, &codec, now())).collect();
            let theirs: Vec<String> = cases(case, "set_cookie")
                .iter()
                .map(|cookie| without_dates(cookie.as_str().unwrap(), &codec, then))
                .collect();
            assert_eq!(shown, theirs, "{name}");
            assert_eq!(ours.vary, case["vary"] == "Cookie", "{name}: vary");
            if ours.status == 200 {
                assert_eq!(ours.body, text(case, "body"), "{name}");
            }
            compared += 1;
        }
        assert!(compared > 100, "{environment}: only {compared} flows");
    }
}

/// What Flask refuses is deferred: Flask words the refusal itself.
#[tokio::test]
async fn csrf_lets_through_what_flask_lets_through() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "csrf");
        let (raw, then) = (text(&vectors, "raw"), vectors["now"].as_i64().unwrap());
        // A key that Flask-Login takes too; tokens are made anew anyway.
        let secret = "plain secret key";
        let csrf = flask_compat::csrf::Csrf::new(&[secret], profile);
        let codec = SessionCodec::new(&[secret], SessionConfig::new(profile));
        let token_of = |raw: &str| {
            let data = Data::from_iter([("csrf_token".to_owned(), Stored::from(raw))]);
            let mut session = flask_compat::session::Session::new(data, profile);
            csrf.generate(&mut session, &[0; 64], now())
        };
        let (good, bad) = (token_of(raw), token_of(&"f".repeat(40)));
        let data = Data::from_iter([("csrf_token".to_owned(), Stored::from(raw))]);
        let session = format!("session={}", codec.encode(&data, now()));
        let theirs_good = text(&vectors, "token");
        let service = service(secret, profile, LoginConfig::new(profile));
        for case in cases(&vectors, "requests") {
            let renew = |text: &str| {
                let renewed = text.replace(theirs_good, &good);
                match renewed.find("ImZm") {
                    // The token of the other session: everything up to the end of the value.
                    Some(start) => {
                        let end = renewed[start..].find('&').map_or(renewed.len(), |at| start + at);
                        format!("{}{bad}{}", &renewed[..start], &renewed[end..])
                    }
                    None => renewed,
                }
            };
            let cookie = if case["session"] == false { "" } else { session.as_str() };
            let mut asked = request(case["method"].as_str().unwrap_or("POST"), "/form", cookie)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-forwarded-proto", case["scheme"].as_str().unwrap_or("http"));
            for (name, value) in case["headers"].as_object().into_iter().flatten() {
                asked = asked.header(name, renew(value.as_str().unwrap()));
            }
            let ours = ask(&service, asked.body(Body::from(renew(text(case, "form")))).unwrap()).await;
            assert_eq!(ours.deferred, case["status"] == 400, "{environment}: {case}");
            if ours.deferred {
                assert!(ours.set_cookie.is_empty(), "a deferred answer changes nothing");
            }
        }
        assert!(then > 0);
    }
}

#[tokio::test]
async fn what_no_handler_answers_is_deferred() {
    let service = service("secret", Profile::Werkzeug10, LoginConfig::new(Profile::Werkzeug10));
    for (method, path) in
        [("GET", "/nowhere"), ("POST", "/public"), ("GET", "/login"), ("GET", "/%ff"), ("GET", "//")]
    {
        let ours = ask(&service, request(method, path, "").body(Body::empty()).unwrap()).await;
        assert!(ours.deferred && ours.status == 503, "{method} {path}");
    }
    let ours = ask(&service, request("OPTIONS", "/public", "").body(Body::empty()).unwrap()).await;
    assert_eq!((ours.status, ours.body.as_str()), (200, ""));
    let ours = ask(&service, request("HEAD", "/public", "").body(Body::empty()).unwrap()).await;
    assert_eq!(ours.status, 200);
    let ours = ask(&service, request("GET", "/token", "").body(Body::empty()).unwrap()).await;
    assert!(ours.set_cookie[0].starts_with("session=") && ours.vary && ours.body.matches('.').count() == 2);
}
