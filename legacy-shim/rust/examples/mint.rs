//! Prints, as JSON, one of everything this crate writes. `tests/vectors/verify.py` reads it with the real Python packages.
//!
//! `cargo run -q -p flask-compat --example mint | PYTHON legacy-shim/rust/tests/vectors/verify.py`

use std::error::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::routing::get;
use flask_compat::Profile;
use flask_compat::cookie::SetCookie;
use flask_compat::csrf::Csrf;
use flask_compat::fernet::MultiFernet;
use flask_compat::flash::flash;
use flask_compat::login::{LoginOptions, RememberKey, identifier, login_user};
use flask_compat::password::{Method, generate_password_hash};
use flask_compat::random;
use flask_compat::routing::{Map as RuleMap, MapOptions, RuleSpec};
use flask_compat::session::{Map, Session, SessionCodec, SessionConfig, Value, write_tagged_json};
use flask_compat::web::{Application, Context, Flash, Views};
use http::Request;
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

const SECRET: &str = "a secret that both sides know";
const FERNET_KEYS: [&str; 2] =
    ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="];
const TEXTS: [&str; 5] = ["plain", "", "with space; comma, \"quotes\" \\", "é€😀", "tab\tnl\n"];

fn main() -> Result<(), Box<dyn Error>> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let minted = json!({
        "secret": SECRET,
        "sessions": sessions(now),
        "logged_in": logged_in(now),
        "web": web()?,
        "remember": remember()?,
        "csrf": csrf(now)?,
        "passwords": passwords()?,
        "fernet": fernet(now)?,
        "cookies": cookies(),
    });
    println!("{}", serde_json::to_string(&minted)?);
    Ok(())
}

fn codec() -> SessionCodec {
    SessionCodec::new(&[SECRET], SessionConfig::new(Profile::Werkzeug10))
}

/// Cookies with the tagged JSON that Flask must see in them.
fn sessions(now: i64) -> Vec<Json> {
    let inner = Map::from_iter([(" t".to_owned(), Value::from("not a tag"))]);
    let values = [
        Value::Null,
        Value::from(true),
        Value::from(-7),
        Value::BigInt("123456789012345678901234567890".to_owned()),
        Value::from(0.1),
        Value::from(1e16),
        Value::from("é€😀 <&> \"quotes\" \u{7f}"),
        Value::from(vec![Value::from(1), Value::Tuple(vec![Value::from("a"), Value::Null])]),
        Value::Bytes(vec![0, 255, 10]),
        Value::Markup("<b>&amp;</b>".to_owned()),
        Value::Uuid(0x1234_5678_1234_5678_1234_5678_1234_5678),
        Value::DateTime(1_600_000_000),
        Value::Map(inner),
        Value::from("long ".repeat(300)),
    ];
    let cookie = |value: Value| {
        let data = Map::from_iter([("value".to_owned(), value), ("another".to_owned(), Value::from(1))]);
        json!({ "cookie": codec().encode(&data, now), "tagged": write_tagged_json(&data, true, true) })
    };
    values.into_iter().map(cookie).collect()
}

/// A login with a message, as a Rust handler leaves it.
fn logged_in(now: i64) -> Json {
    let mut session = Session::new(Map::new(), Profile::Werkzeug10);
    let ident = identifier(Some(b"10.1.2.3"), Some(b"it's an agent"));
    login_user(&mut session, "7", &ident, LoginOptions::default());
    flash(&mut session, "Customer created.", "success");
    json!({ "cookie": codec().save(&session, now).map(|cookie| cookie.value), "user": "7", "agent": "it's an agent",
            "address": "10.1.2.3" })
}

/// Logins by a handler of the axum side: what a browser would send next, in the profile of each Flask.
fn web() -> Result<Json, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut minted = serde_json::Map::new();
    for profile in Profile::ALL {
        let mut answers = serde_json::Map::new();
        for (path, cookie) in [("/in", ""), ("/in?remember", ""), ("/out", "remember_token=7|x")] {
            answers.insert(path.to_owned(), runtime.block_on(answer(profile, path, cookie))?);
        }
        minted.insert(profile.name().to_owned(), answers.into());
    }
    Ok(minted.into())
}

/// The Set-Cookie headers of one request.
async fn answer(profile: Profile, path: &str, cookie: &str) -> Result<Json, Box<dyn Error>> {
    let rules =
        [RuleSpec::new("/in", "log_in").methods(["GET"]), RuleSpec::new("/out", "log_out").methods(["GET"])];
    let map = RuleMap::new(MapOptions::new(profile), &rules).map_err(|_| "bad rules")?;
    let views = Views::new(Arc::new(Application::new(SECRET, map, profile)?))
        .add("log_in", get(log_in))
        .add("log_out", get(async |context: Context| context.log_out()));
    let request = Request::builder().uri(path).header("host", "crm.example.com").header("cookie", cookie);
    let request =
        request.header("user-agent", "it's an agent").header("x-forwarded-for", "10.1.2.3, 10.0.0.1");
    let response = views.into_router(()).oneshot(request.body(Body::empty())?).await?;
    let cookies = response.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    Ok(cookies.collect::<Vec<_>>().into())
}

async fn log_in(context: Context, flash: Flash) {
    let remember = context.args().contains("remember");
    context.log_in("7", LoginOptions { remember, ..LoginOptions::default() });
    flash.add("Welcome.", "success");
}

fn remember() -> Result<Vec<Json>, Box<dyn Error>> {
    let key = RememberKey::new(SECRET)?;
    Ok(["1", "é", "a|b"].iter().map(|user| json!({ "user": user, "cookie": key.encode(user) })).collect())
}

fn csrf(now: i64) -> Result<Json, Box<dyn Error>> {
    let mut session = Session::new(Map::new(), Profile::Werkzeug10);
    let token = Csrf::new(&[SECRET], Profile::Werkzeug10).generate(&mut session, &random::bytes()?, now);
    Ok(json!({ "token": token, "raw": session.get_str("csrf_token") }))
}

fn passwords() -> Result<Vec<Json>, Box<dyn Error>> {
    let mut out = Vec::new();
    for (profile, method) in [
        (Profile::Werkzeug10, Method::Pbkdf2Sha256 { iterations: 150_000 }),
        (Profile::Werkzeug23, Method::Pbkdf2Sha256 { iterations: 1_000 }),
        (Profile::Werkzeug31, Method::Scrypt { log_n: 10, r: 8, p: 1 }),
    ] {
        let hash = generate_password_hash("pässwörd", method, &random::bytes()?, profile)?;
        out.push(json!({ "password": "pässwörd", "hash": hash }));
    }
    Ok(out)
}

fn fernet(now: i64) -> Result<Json, Box<dyn Error>> {
    let keys = MultiFernet::new(FERNET_KEYS)?;
    let mut tokens = Vec::new();
    for text in TEXTS {
        tokens.push(json!({ "text": text, "token": keys.encrypt(text.as_bytes(), random::bytes()?, now) }));
    }
    Ok(json!({ "keys": FERNET_KEYS, "tokens": tokens }))
}

fn cookies() -> Vec<Json> {
    let mut out = Vec::new();
    for profile in Profile::ALL {
        for text in TEXTS {
            let header = SetCookie::new("name", text, profile).header_value();
            out.push(json!({ "text": text, "header": header.trim_end_matches("; Path=/") }));
        }
    }
    out
}
