//! Sessions and users through the channel, with a real Flask beside: `apps.desk` of the shim's tests, with Flask-Session on
//! files, as a process. Each Flask of the shim's pins; their environments are made by `cargo xtask python`.

#![cfg(all(feature = "axum", feature = "channel"))]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRef, State};
use axum::response::Response;
use axum::routing::get;
use flask_compat::Profile;
use flask_compat::channel::{BadSetting, Caller, ShimChannel, ShimUser};
use flask_compat::routing::{Map, MapOptions, RuleSpec};
use flask_compat::web::{Application, Context, CurrentUser, MaybeUser, SessionSource, Views, html};
use http::Request;
use tower::ServiceExt as _;

const SECRET: &str = "the-secret-of-the-channel";
const FLASKS: [(&str, Profile); 3] = [
    ("shim-flask-1.1", Profile::Werkzeug10),
    ("shim-flask-2.3", Profile::Werkzeug23),
    ("shim-flask-3.1", Profile::Werkzeug31),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The interpreter of an environment, made if its pins changed.
fn python(environment: &str) -> PathBuf {
    let made = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "python", environment])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    repository().join("target/python").join(environment).join("bin/python")
}

/// A running Flask; killed at the end.
struct Flask {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Flask {
    fn start(environment: &str, name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("channel-{name}-{environment}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let shim = repository().join("legacy-shim/python");
        let mut process = Command::new(python(environment))
            .args(["-B", "-W", "ignore", "-m", "apps.desk"])
            .arg(&folder)
            .arg(SECRET)
            .env("PYTHONPATH", format!("{}:{}", shim.join("src").display(), shim.join("tests").display()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("Flask did not start: `{line}`"));
        Self { process, port, folder }
    }

    fn channel(&self) -> ShimChannel {
        ShimChannel::new(&format!("127.0.0.1:{}", self.port), SECRET).unwrap()
    }

    /// What a browser gets from Flask itself.
    fn get(&self, path: &str, browser: &mut Browser) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let cookies = browser.header();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nHost: localhost\r\nUser-Agent: agent\r\nX-Forwarded-For: 127.0.0.1\r\n{cookies}\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("set-cookie")
            {
                browser.keep(value);
            }
        }
        body.to_owned()
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Flask {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[derive(Default, Clone)]
struct Browser(Vec<(String, String)>);

impl Browser {
    fn keep(&mut self, set_cookie: &str) {
        let (name, value) = set_cookie.split(';').next().unwrap().split_once('=').unwrap();
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn value(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    fn header(&self) -> String {
        if self.0.is_empty() { String::new() } else { format!("Cookie: {}\r\n", self.value()) }
    }
}

type Happening = Box<dyn FnOnce() + Send>;

#[derive(Clone)]
struct App {
    channel: ShimChannel,
    /// What happens in Flask while the handler `size` runs.
    meanwhile: Arc<Mutex<Option<Happening>>>,
}

impl FromRef<App> for ShimChannel {
    fn from_ref(app: &App) -> Self {
        app.channel.clone()
    }
}

async fn show(context: Context) -> Response {
    let color = context.session().get_str("color").unwrap_or("none").to_owned();
    html(color)
}

async fn say(context: Context) -> Response {
    context.flash("from Rust", "message");
    html("said".to_owned())
}

async fn messages(context: Context) -> Response {
    let messages = context.flashed_messages(&[]);
    html(messages.iter().filter_map(|flash| flash.message.as_str()).collect::<Vec<_>>().join(","))
}

async fn size(State(app): State<App>, context: Context) -> Response {
    let happens = app.meanwhile.lock().unwrap().take();
    if let Some(happens) = happens {
        tokio::task::spawn_blocking(happens).await.unwrap();
    }
    context.session().insert("size", "big");
    html("set".to_owned())
}

async fn clear(context: Context) -> Response {
    context.session().clear();
    html("cleared".to_owned())
}

async fn me(CurrentUser(user): CurrentUser<ShimUser>) -> Response {
    let name = user.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned();
    html(format!("{} {name} {} {}", user.id, user.is_active, user.is_fresh))
}

async fn who(MaybeUser(user): MaybeUser<ShimUser>) -> Response {
    html(user.map_or_else(|| "nobody".to_owned(), |user| user.id))
}

struct Rust {
    router: Router,
    app: App,
}

impl Rust {
    fn new(channel: ShimChannel, profile: Profile) -> Self {
        let names = ["show", "say", "messages", "size", "clear", "me", "who"];
        let mut rules: Vec<RuleSpec> =
            names.iter().map(|name| RuleSpec::new(format!("/{name}"), *name).methods(["GET"])).collect();
        rules.push(RuleSpec::new("/login", "login").methods(["GET"]));
        let options = MapOptions { profile, ..MapOptions::default() };
        let mut application =
            Application::new("a secret key", Map::new(options, &rules).unwrap(), profile).unwrap();
        application.session_source = SessionSource::Shim(channel.clone());
        application.login.login_view = Some("login".to_owned());
        let app = App { channel, meanwhile: Arc::default() };
        let views = Views::new(Arc::new(application))
            .add("show", get(show))
            .add("say", get(say))
            .add("messages", get(messages))
            .add("size", get(size))
            .add("clear", get(clear))
            .add("me", get(me))
            .add("who", get(who));
        Self { router: views.into_router(app.clone()), app }
    }

    /// Status, whether deferred, and body.
    async fn get(&self, path: &str, browser: &mut Browser, headers: &[(&str, &str)]) -> (u16, bool, String) {
        let mut request = Request::get(path)
            .header("host", "localhost")
            .header("x-forwarded-for", "127.0.0.1")
            .header("user-agent", "agent");
        if !browser.0.is_empty() {
            request = request.header("cookie", browser.value());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            browser.keep(cookie.to_str().unwrap());
        }
        let (status, deferred) =
            (response.status().as_u16(), response.headers().contains_key("x-ficus-defer"));
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, deferred, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn body(&self, path: &str, browser: &mut Browser) -> String {
        let (status, deferred, body) = self.get(path, browser, &[]).await;
        assert_eq!((status, deferred), (200, false), "{path}: {body}");
        body
    }
}

#[tokio::test]
async fn a_session_of_flask_session_is_continued_on_either_side() {
    for (environment, profile) in FLASKS {
        let flask = Flask::start(environment, "session");
        let rust = Rust::new(flask.channel(), profile);
        let mut browser = Browser::default();
        assert_eq!(rust.body("/show", &mut browser).await, "none");
        flask.get("/set/color/red", &mut browser);
        assert_eq!(rust.body("/show", &mut browser).await, "red", "{environment}");
        flask.get("/flash/hello", &mut browser);
        assert_eq!(rust.body("/messages", &mut browser).await, "hello");
        assert_eq!(rust.body("/messages", &mut browser).await, "", "shown once");
        assert_eq!(rust.body("/say", &mut browser).await, "said");
        assert_eq!(rust.body("/size", &mut browser).await, "set");
        let shown = flask.get("/show", &mut browser);
        assert!(shown.contains("from Rust") && shown.contains("red") && shown.contains("big"), "{shown}");
        rust.body("/clear", &mut browser).await;
        assert!(!flask.get("/show", &mut browser).contains("red"));
        // A session that Rust begins is one that Flask goes on with.
        let mut other = Browser::default();
        rust.body("/say", &mut other).await;
        assert!(flask.get("/show", &mut other).contains("from Rust"), "{environment}");
    }
}

#[tokio::test]
async fn users_that_only_flask_can_load() {
    for (environment, profile) in FLASKS {
        let flask = Flask::start(environment, "user");
        let rust = Rust::new(flask.channel(), profile);
        let mut browser = Browser::default();
        assert_eq!(rust.body("/who", &mut browser).await, "nobody");
        assert_eq!(rust.get("/me", &mut browser, &[]).await.0, 302);
        let mut keyed = Browser::default();
        assert_eq!(rust.get("/who", &mut keyed, &[("x-api-key", "key of 2")]).await.2, "2", "request_loader");
        flask.get("/login/1?remember", &mut browser);
        assert_eq!(rust.body("/me", &mut browser).await, "1 Person 1 true true", "{environment}");
        // By the remember cookie alone: logged in on both sides from now on, and not fresh.
        browser.0.retain(|(name, _)| name == "remember_token");
        assert_eq!(rust.body("/me", &mut browser).await, "1 Person 1 true false", "{environment}");
        browser.0.retain(|(name, _)| name == "session");
        assert_eq!(flask.get("/me", &mut browser), "Person 1", "{environment}: the session was saved");
    }
}

#[tokio::test]
async fn changes_that_cross_are_put_together() {
    let flask = Arc::new(Mutex::new(Flask::start("shim-flask-3.1", "cross")));
    let channel = flask.lock().unwrap().channel();
    let rust = Rust::new(channel, Profile::Werkzeug31);
    let mut browser = Browser::default();
    flask.lock().unwrap().get("/set/color/red", &mut browser);
    let (there, mut same) = (Arc::clone(&flask), browser.clone());
    *rust.app.meanwhile.lock().unwrap() = Some(Box::new(move || {
        there.lock().unwrap().get("/set/color/green", &mut same);
    }));
    assert_eq!(rust.body("/size", &mut browser).await, "set");
    let shown = flask.lock().unwrap().get("/show", &mut browser);
    assert!(shown.contains("green") && shown.contains("big"), "{shown}");
}

#[tokio::test]
async fn a_lost_change_is_seen_and_an_unread_session_deferred() {
    let flask = Arc::new(Mutex::new(Flask::start("shim-flask-2.3", "lost")));
    let channel = flask.lock().unwrap().channel();
    let rust = Rust::new(channel.clone(), Profile::Werkzeug23);
    let mut browser = Browser::default();
    let wrong = ShimChannel::new(&format!("127.0.0.1:{}", flask.lock().unwrap().port), "another-long-secret");
    let refused = Rust::new(wrong.unwrap(), Profile::Werkzeug23).get("/show", &mut browser, &[]).await;
    assert_eq!((refused.0, refused.1), (503, true));
    // Flask is there before the handler and gone after it.
    let there = Arc::clone(&flask);
    *rust.app.meanwhile.lock().unwrap() = Some(Box::new(move || there.lock().unwrap().kill()));
    let (status, deferred, body) = rust.get("/size", &mut browser, &[]).await;
    assert_eq!((status, deferred), (500, false));
    assert!(body.contains("Internal Server Error") && browser.0.is_empty());
    let (status, deferred, _) = rust.get("/show", &mut browser, &[]).await;
    assert_eq!((status, deferred), (503, true));
}

#[tokio::test]
async fn a_unix_socket_and_a_time_limit() {
    let flask = Flask::start("shim-flask-1.1", "unix");
    let socket = flask.folder.join("flask.sock");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let port = flask.port;
    tokio::spawn(async move {
        loop {
            let (mut from, _) = listener.accept().await.unwrap();
            let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut from, &mut to).await });
        }
    });
    let channel = ShimChannel::new(&format!("unix:{}", socket.display()), SECRET).unwrap();
    let rust = Rust::new(channel.clone(), Profile::Werkzeug10);
    let mut browser = Browser::default();
    flask.get("/set/color/red", &mut browser);
    assert_eq!(rust.body("/show", &mut browser).await, "red");
    assert!(!format!("{channel:?}").contains("secret"));

    // Somebody who accepts and never answers.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let channel = ShimChannel::new(&silent.local_addr().unwrap().to_string(), SECRET).unwrap();
    let caller = Caller::new("GET", "/", &http::HeaderMap::new());
    let error = channel.with_timeout(Duration::from_millis(50)).load(&caller).await.unwrap_err();
    assert_eq!(error.to_string(), "Flask did not answer in time");
    assert_eq!(ShimChannel::new("127.0.0.1:1", "short").unwrap_err(), BadSetting::Secret);
}
