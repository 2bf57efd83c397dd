//! Whole requests through the axum side: what the real Flask, Flask-Login and Flask-WTF answered (the vectors), answered by
//! `Views`. The service runs on the vectors' clock.

#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used)]

mod support;

use std::convert::Infallible;
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::response::Response;
use axum::routing::{any, get, post};
use flask_compat::Profile;
use flask_compat::answer::error_page;
use flask_compat::csrf::Csrf as CsrfProtect;
use flask_compat::forms::{FormSpec, data_required, string};
use flask_compat::login::{LoginConfig, LoginOptions};
use flask_compat::routing::{Map, MapOptions, RuleSpec};
use flask_compat::session::{Map as Data, Session as Stored, SessionCodec, SessionConfig, write_tagged_json};
use flask_compat::templates::{authenticated_user, environment};
use flask_compat::web::{
    Abort, Application, Context, Csrf, CurrentUser, Flash, Form, FormClass, FreshUser, LoadUser, MaybeUser,
    RequireRole, Role, Session, Templates, Views, html,
};
use http::{Request, StatusCode};
use minijinja::Environment;
use serde_json::Value;
use support::{ENVIRONMENTS, cases, login_config, text, vectors};
use tower::ServiceExt;

/// The clock of the vectors.
const NOW: i64 = 1_600_000_000;
/// A key that Flask-Login takes too.
const SECRET: &str = "plain secret key";

/// Users 1 and 2 are known.
#[derive(Clone)]
struct User(String);

impl<S: Sync> LoadUser<S> for User {
    type Error = Infallible;

    async fn load(_: &S, id: &str) -> Result<Option<Self>, Infallible> {
        Ok(["1", "2"].contains(&id).then(|| User(id.to_owned())))
    }

    fn to_template(&self) -> minijinja::Value {
        authenticated_user(&self.0, minijinja::context! { name => format!("user {}", self.0) })
    }
}

/// User 1 is one.
struct Admins;

impl Role<User> for Admins {
    fn allows(user: &User) -> bool {
        user.0 == "1"
    }
}

fn ok() -> Response {
    html("ok".to_owned())
}

async fn log_in(context: Context) -> Response {
    let remember = context.args().contains("remember");
    context.log_in("2", LoginOptions { remember, ..LoginOptions::default() });
    ok()
}

async fn log_in_for(context: Context) -> Response {
    context.log_in("2", LoginOptions { remember: true, remember_seconds: Some(90.0), fresh: true });
    ok()
}

async fn log_out(context: Context) -> Response {
    context.log_out();
    ok()
}

async fn confirm(context: Context) -> Response {
    context.confirm_login();
    ok()
}

async fn who(MaybeUser(user): MaybeUser<User>) -> Response {
    html(format!("user {}", user.map_or_else(|| "None".to_owned(), |user| user.0)))
}

/// Twice, and through another extractor: the user is looked for once.
async fn me(_: CurrentUser<User>, _: MaybeUser<User>, _: CurrentUser<User>) -> Response {
    ok()
}

async fn fresh(_: FreshUser<User>) -> Response {
    ok()
}

async fn admin(user: RequireRole<Admins, User>) -> Response {
    html(format!("admin {}", user.0))
}

async fn asks(_: Csrf<Context>) -> Response {
    ok()
}

async fn token(context: Context) -> Response {
    html(context.csrf_token())
}

async fn upload(context: Context) -> Response {
    let files = context.files("file").map(|file| format!("{} {}", file.filename, file.content.len()));
    html(format!("{} {:?}", context.form().get("title").unwrap_or("-"), files.collect::<Vec<_>>()))
}

async fn flashing(flash: Flash, session: Session) -> Response {
    flash.message("one");
    flash.add("two", "success");
    session.insert("seen", 7);
    let count = session.get("_flashes").and_then(|list| list.as_slice().map(<[_]>::len));
    html(format!("{} {:?} {:?}", session.contains("seen"), session.get("seen"), count))
}

async fn flashed(flash: Flash) -> Response {
    let shown = flash.take(&[]).into_iter().chain(flash.take(&["success"]));
    html(
        shown
            .map(|flash| flash.message.as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join(","),
    )
}

fn rules() -> Vec<RuleSpec> {
    let get = |rule: &str, endpoint: &str| RuleSpec::new(rule, endpoint).methods(["GET"]).automatic_options();
    vec![
        get("/public", "public"),
        get("/me", "me"),
        get("/fresh", "fresh"),
        get("/part/me", "part.me"),
        get("/admin", "admin"),
        get("/who", "who"),
        get("/login", "log_in"),
        get("/login-for", "log_in_for"),
        get("/logout", "log_out"),
        get("/confirm", "confirm"),
        get("/token", "token"),
        get("/flash", "flash"),
        get("/flashed", "flashed"),
        get("/missing", "missing"),
        RuleSpec::new("/form", "form").methods(["GET", "POST", "PUT", "DELETE"]).automatic_options(),
        RuleSpec::new("/asks", "asks").methods(["GET", "POST"]).automatic_options(),
        RuleSpec::new("/exempt", "exempt").methods(["GET", "POST"]).automatic_options(),
        RuleSpec::new("/part/form", "part.form").methods(["POST"]).automatic_options(),
        RuleSpec::new("/upload", "upload").methods(["POST"]).automatic_options(),
        RuleSpec::new("/own-options", "own_options").methods(["GET", "OPTIONS"]),
    ]
}

/// An application like the one of the generator.
fn application(profile: Profile, login: LoginConfig) -> Application {
    let options = MapOptions { profile, ..MapOptions::default() };
    let mut application = Application::new(SECRET, Map::new(options, &rules()).unwrap(), profile).unwrap();
    application.login = LoginConfig {
        login_message_category: "warning".to_owned(),
        needs_refresh_message_category: "info".to_owned(),
        ..login
    };
    application.csrf_exempt = vec!["exempt".to_owned(), "part".to_owned()];
    application.clock = || NOW;
    application
}

fn views(application: Application) -> Views<()> {
    Views::new(Arc::new(application))
        .add("public", get(async || ok()))
        .add("me", get(me))
        .add("part.me", get(me))
        .add("fresh", get(fresh))
        .add("admin", get(admin))
        .add("who", get(who))
        .add("log_in", get(log_in))
        .add("log_in_for", get(log_in_for))
        .add("log_out", get(log_out))
        .add("confirm", get(confirm))
        .add("token", get(token))
        .add("flash", get(flashing))
        .add("flashed", get(flashed))
        .add("missing", get(async || Abort::new(StatusCode::NOT_FOUND)))
        .add("form", post(async || ok()).get(async || ok()).put(async || ok()).delete(async || ok()))
        .add("asks", post(asks))
        .add("exempt", post(async || ok()))
        .add("part.form", post(async || ok()))
        .add("upload", post(upload))
        .add("own_options", get(async || ok()).options(async || html("own".to_owned())))
}

fn codec(profile: Profile) -> SessionCodec {
    SessionCodec::new(&[SECRET], SessionConfig::new(profile))
}

/// A Set-Cookie value with a session in clear.
fn in_clear(cookie: &str, codec: &SessionCodec) -> String {
    match cookie.strip_prefix("session=").and_then(|text| text.split_once("; ")) {
        Some((value, rest)) => {
            let session = codec.load(Some(value), NOW).unwrap();
            format!("session={}; {rest}", write_tagged_json(session.data(), true, true))
        }
        None => cookie.to_owned(),
    }
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

async fn get_page(service: &Router, path: &str, cookie: &str) -> Answer {
    ask(service, request("GET", path, cookie).body(Body::empty()).unwrap()).await
}

/// The vectors' whole requests of one list, with the same answers.
async fn same_answers(list: &str, login: impl Fn(&Value, Profile) -> LoginConfig) -> usize {
    let mut compared = 0;
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "login");
        assert_eq!((text(&vectors, "secret"), &vectors["now"]), (SECRET, &Value::from(NOW)));
        let codec = codec(profile);
        for case in cases(&vectors, list) {
            let service = views(application(profile, login(&case["config"], profile))).into_router(());
            let path = text(case, "path").replace(' ', "%20");
            let ours = get_page(&service, &path, case["cookie"].as_str().unwrap_or_default()).await;
            let name = format!("{environment}: {}", text(case, "name"));
            assert_eq!(ours.status, case["status"].as_u64().unwrap(), "{name}");
            assert_eq!(ours.location.as_deref(), case["location"].as_str(), "{name}");
            let shown: Vec<String> = ours.set_cookie.iter().map(|cookie| in_clear(cookie, &codec)).collect();
            let theirs: Vec<String> = cases(case, "set_cookie")
                .iter()
                .map(|cookie| in_clear(cookie.as_str().unwrap(), &codec))
                .collect();
            assert_eq!(shown, theirs, "{name}");
            assert_eq!(ours.vary, case["vary"] == "Cookie", "{name}: vary");
            if let Some(body) = case["body"].as_str() {
                assert_eq!(ours.body, body, "{name}");
            }
            compared += 1;
        }
    }
    compared
}

/// Logging in and out, remember cookies, session protection: every path of the generator's application.
#[tokio::test]
async fn logins_go_like_in_flask() {
    let login = |given: &Value, profile| LoginConfig {
        login_view: Some("log_in".to_owned()),
        ..login_config(given, profile)
    };
    let compared = same_answers("flows", login).await;
    assert!(compared > 900, "only {compared} flows");
}

/// Who is sent where: login views of all kinds, `fresh_login_required`, 401.
#[tokio::test]
async fn refusals_go_like_in_flask() {
    let login = |given: &Value, profile| {
        let view = given.get("LOGIN_VIEW").map_or("log_in", |view| view.as_str().unwrap());
        let part = given["BLUEPRINT_LOGIN_VIEWS"]["part"].as_str();
        LoginConfig {
            login_view: (!view.is_empty()).then(|| view.to_owned()),
            refresh_view: given["REFRESH_VIEW"].as_str().map(str::to_owned),
            blueprint_login_views: part
                .map(|view| ("part".to_owned(), view.to_owned()))
                .into_iter()
                .collect(),
            ..login_config(given, profile)
        }
    };
    let compared = same_answers("refusals", login).await;
    assert!(compared > 400, "only {compared} refusals");
}

#[tokio::test]
async fn a_role_is_asked_for_like_with_a_decorator() {
    for (_, profile) in ENVIRONMENTS {
        let login = LoginConfig { login_view: Some("log_in".to_owned()), ..LoginConfig::new(profile) };
        let codec = codec(profile);
        let cookie = |user: &str| {
            let mut session = Stored::new(Data::new(), profile);
            let id = flask_compat::login::identifier(Some(b"127.0.0.1"), Some(b"agent"));
            flask_compat::login::login_user(&mut session, user, &id, LoginOptions::default());
            format!("session={}", codec.encode(session.data(), NOW))
        };
        let service = views(application(profile, login.clone())).into_router(());
        let ours = get_page(&service, "/admin", &cookie("1")).await;
        assert_eq!((ours.status, ours.body.as_str()), (200, "admin 1"));
        let ours = get_page(&service, "/admin", &cookie("2")).await;
        assert_eq!((ours.status, ours.body), (403, error_page(403, None, profile)), "Werkzeug's page");
        assert!(ours.vary, "an error page is an answer of Flask like any other");
        let ours = get_page(&service, "/admin", "").await;
        assert_eq!(ours.status, 302);
        assert!(ours.location.unwrap().ends_with("/login?next=%2Fadmin"));
        // The application's own page, as with `@app.errorhandler(403)`.
        let own = async |abort: Abort, MaybeUser(user): MaybeUser<User>| {
            (abort.status(), html(format!("not for {}", user.unwrap().0)))
        };
        let service =
            views(application(profile, login)).on_error(StatusCode::FORBIDDEN, any(own)).into_router(());
        let ours = get_page(&service, "/admin", &cookie("2")).await;
        assert_eq!((ours.status, ours.body.as_str()), (403, "not for 2"));
        let ours = get_page(&service, "/missing", "").await;
        assert_eq!((ours.status, ours.body), (404, error_page(404, None, profile)));
    }
}

/// Refusals are Flask-WTF's own pages, the rest gets through.
#[tokio::test]
async fn csrf_is_checked_like_in_flask() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "csrf");
        let secret = text(&vectors, "secret");
        let mut application = application(profile, LoginConfig::new(profile));
        application.csrf = Some(CsrfProtect::new(&[secret], profile));
        application.sessions = SessionCodec::new(&[secret], SessionConfig::new(profile));
        let data = Data::from_iter([("csrf_token".to_owned(), text(&vectors, "raw").into())]);
        let session = format!("session={}", application.sessions.encode(&data, NOW));
        let service = views(application).into_router(());
        for case in cases(&vectors, "requests") {
            let cookie = if case["session"] == false { "" } else { session.as_str() };
            let path = format!("/form?{}", case["query"].as_str().unwrap_or_default());
            let mut asked = request(case["method"].as_str().unwrap_or("POST"), &path, cookie)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("x-forwarded-proto", case["scheme"].as_str().unwrap_or("http"));
            for (name, value) in case["headers"].as_object().into_iter().flatten() {
                asked = asked.header(name, value.as_str().unwrap());
            }
            let ours = ask(&service, asked.body(Body::from(text(case, "form").to_owned())).unwrap()).await;
            assert_eq!(ours.status, case["status"].as_u64().unwrap(), "{environment}: {case}");
            assert_eq!(ours.body, text(case, "body"), "{environment}: {case}");
        }
    }
}

/// Every setting of Flask-WTF, exempt views, tokens in multipart forms.
#[tokio::test]
async fn csrf_follows_the_configuration() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "csrf");
        for case in cases(&vectors, "configured") {
            let mut application = application(profile, LoginConfig::new(profile));
            application.csrf = Some(csrf_of(&case["config"], profile));
            application.has_login_manager = false;
            let service = views(application).into_router(());
            let cookie = format!("session={}", text(case, "session"));
            let mut asked = request(text(case, "method"), text(case, "path"), &cookie)
                .header("content-type", text(case, "content_type"))
                .header("content-length", text(case, "body").len())
                .header("x-forwarded-proto", text(case, "scheme"));
            for (name, value) in case["headers"].as_object().unwrap() {
                asked = asked.header(name, value.as_str().unwrap());
            }
            let ours = ask(&service, asked.body(Body::from(text(case, "body").to_owned())).unwrap()).await;
            assert_eq!(ours.status, case["status"].as_u64().unwrap(), "{environment}: {case}");
            assert_eq!(ours.body, text(case, "answer"), "{environment}: {case}");
            assert_eq!(ours.vary, case["vary"] == "Cookie", "{environment}: {case}");
        }
    }
}

fn csrf_of(given: &Value, profile: Profile) -> CsrfProtect {
    let mut csrf = CsrfProtect::new(&[given["WTF_CSRF_SECRET_KEY"].as_str().unwrap_or(SECRET)], profile);
    let texts = |list: &Value| {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    if let Some(limit) = given.get("WTF_CSRF_TIME_LIMIT") {
        csrf.time_limit = limit.as_i64();
    }
    if let Some(name) = given["WTF_CSRF_FIELD_NAME"].as_str() {
        csrf.field_name = name.to_owned();
    }
    if let Some(headers) = given.get("WTF_CSRF_HEADERS") {
        csrf.headers = texts(headers);
    }
    if let Some(methods) = given.get("WTF_CSRF_METHODS") {
        csrf.methods = texts(methods);
    }
    csrf.check_default = given["WTF_CSRF_CHECK_DEFAULT"] != false;
    csrf.ssl_strict = given["WTF_CSRF_SSL_STRICT"] != false;
    csrf.enabled = given["WTF_CSRF_ENABLED"] != false;
    csrf
}

#[tokio::test]
async fn csrf_refusals_may_have_a_page_of_the_application() {
    let application = application(Profile::Werkzeug10, LoginConfig::new(Profile::Werkzeug10));
    let page = async |abort: Abort, MaybeUser(user): MaybeUser<User>| {
        let who = user.map_or("nobody".to_owned(), |user| user.0);
        (abort.status(), html(format!("{} ({who}, {:?})", abort.description(), abort.csrf_error())))
    };
    let service = views(application).on_csrf_error(any(page)).into_router(());
    let asked = request("POST", "/form", "").body(Body::empty()).unwrap();
    let ours = ask(&service, asked).await;
    assert_eq!(ours.status, 400);
    assert_eq!(ours.body, "The CSRF token is missing. (nobody, Some(TokenMissing))");
    let ours = ask(&service, request("POST", "/asks", "").body(Body::empty()).unwrap()).await;
    assert_eq!(ours.status, 400, "before the view");
}

struct NoteForm;

impl FormClass for NoteForm {
    fn spec() -> Result<&'static FormSpec, String> {
        static SPEC: LazyLock<Result<FormSpec, String>> = LazyLock::new(|| {
            let fields = [string("text").validators([data_required().message("Say something.")])];
            FormSpec::new(fields).map_err(|mistakes| mistakes.to_string())
        });
        SPEC.as_ref().map_err(Clone::clone)
    }
}

type Pages = Arc<Environment<'static>>;

/// As `return render_template("note.html", form=form)` in a Flask view.
async fn note(templates: Templates<User>, mut form: Form<NoteForm>) -> Result<Response, String> {
    let valid = form.validate_on_submit();
    let errors: Vec<String> =
        form.errors().map(|(name, errors)| format!("{name}: {}", errors.join(" "))).collect();
    let context = minijinja::context! { form => form.to_template(), valid, errors };
    templates
        .with_g(minijinja::context! { team => "red" })
        .render("note.html", context)
        .map_err(|e| e.to_string())
}

/// Forms and templates as extractors: who is logged in, what is in the form, and Flask-WTF's own message where no
/// `CSRFProtect` has looked before (the endpoint is exempt).
#[tokio::test]
async fn forms_and_templates_read_like_the_view() {
    let profile = Profile::Werkzeug31;
    let mut application = application(profile, LoginConfig::new(profile));
    application.csrf_exempt.push("form".to_owned());
    application.template_config = minijinja::context! { TITLE => "CRM" };
    let mut pages = environment(profile);
    let page = "{{ config.TITLE }} {{ g.team }} {{ current_user.name or 'nobody' }} {{ valid }} {{ errors|join(';') }} \
        {{ form.text.data or '-' }}{% if form.csrf_token %} token{% endif %}";
    pages.add_template("note.html", page).unwrap();
    let service = Views::<Pages>::new(Arc::new(application))
        .add("form", get(note).post(note))
        .into_router(Arc::new(pages));
    let ours = get_page(&service, "/form", "").await;
    assert_eq!(ours.body, "CRM red nobody False  - token");
    let id = flask_compat::login::identifier(Some(b"127.0.0.1"), Some(b"agent"));
    let mut session = Stored::new(Data::new(), profile);
    flask_compat::login::login_user(&mut session, "2", &id, LoginOptions::default());
    let token = CsrfProtect::new(&[SECRET], profile).generate(&mut session, &[1; 64], NOW);
    let cookie = format!("session={}", codec(profile).encode(session.data(), NOW));
    for (body, shown) in [
        (format!("text=hi&csrf_token={token}"), "True  hi token"),
        (format!("text=+&csrf_token={token}"), "False text: Say something.   token"),
        ("text=hi".to_owned(), "False csrf_token: The CSRF token is missing. hi token"),
        ("text=hi&csrf_token=x".to_owned(), "False csrf_token: The CSRF token is invalid. hi token"),
    ] {
        let asked =
            request("POST", "/form", &cookie).header("content-type", "application/x-www-form-urlencoded");
        let ours = ask(&service, asked.body(Body::from(body)).unwrap()).await;
        assert_eq!((ours.status, ours.body), (200, format!("CRM red user 2 {shown}")));
    }
    let asked = request("POST", "/form", &cookie).header("content-type", "application/json");
    let ours = ask(&service, asked.body(Body::from("{}")).unwrap()).await;
    assert!(ours.deferred, "Flask-WTF takes JSON for a form, this crate does not");
}

#[tokio::test]
async fn uploads_are_read_and_limits_kept() {
    let profile = Profile::Werkzeug31;
    let body = "--b\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nContract\r\n--b\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nabc\r\n--b--\r\n";
    let sent = |path: &str| {
        let asked = request("POST", path, "").header("content-type", "multipart/form-data; boundary=b");
        asked.header("content-length", body.len()).body(Body::from(body)).unwrap()
    };
    let mut plain = application(profile, LoginConfig::new(profile));
    plain.csrf_exempt.push("upload".to_owned());
    let ours = ask(&views(plain).into_router(()), sent("/upload")).await;
    assert_eq!((ours.status, ours.body.as_str()), (200, "Contract [\"a.txt 3\"]"));
    let mut small = application(profile, LoginConfig::new(profile));
    small.form_limits.max_content_length = Some(20);
    let service = views(small).into_router(());
    let ours = ask(&service, sent("/upload")).await;
    assert_eq!((ours.status, ours.body), (413, error_page(413, None, profile)), "the token is looked for");
    let ours = ask(&service, sent("/exempt")).await;
    assert!(ours.deferred, "only Flask knows whether its view looks at the form");
}

#[tokio::test]
async fn messages_and_values_go_through_the_session() {
    for (_, profile) in ENVIRONMENTS {
        let service = views(application(profile, LoginConfig::new(profile))).into_router(());
        let ours = get_page(&service, "/flash", "").await;
        assert_eq!(ours.body, "true Some(Int(7)) Some(2)");
        let cookie = ours.set_cookie[0].split(';').next().unwrap().to_owned();
        assert!(
            in_clear(&ours.set_cookie[0], &codec(profile))
                .contains(r#"{"_flashes":[{" t":["message","one"]},{" t":["success","two"]}],"seen":7}"#)
        );
        let ours = get_page(&service, "/flashed", &cookie).await;
        assert_eq!(ours.body, "one,two,two");
        assert!(in_clear(&ours.set_cookie[0], &codec(profile)).starts_with(r#"session={"seen":7};"#));
    }
}

#[tokio::test]
async fn what_no_handler_answers_is_deferred() {
    let service = views(application(Profile::Werkzeug10, LoginConfig::new(Profile::Werkzeug10)));
    let service = service.into_router(());
    for (method, path) in
        [("GET", "/nowhere"), ("POST", "/public"), ("GET", "/asks"), ("GET", "/%ff"), ("GET", "//")]
    {
        let ours = ask(&service, request(method, path, "").body(Body::empty()).unwrap()).await;
        assert!(ours.deferred && ours.status == 503, "{method} {path}");
    }
    let ours = ask(&service, request("OPTIONS", "/public", "").body(Body::empty()).unwrap()).await;
    assert_eq!((ours.status, ours.body.as_str()), (200, ""));
    let ours = ask(&service, request("OPTIONS", "/own-options", "").body(Body::empty()).unwrap()).await;
    assert_eq!((ours.status, ours.body.as_str()), (200, "own"), "a view that lists OPTIONS answers it");
    let ours = ask(&service, request("HEAD", "/public", "").body(Body::empty()).unwrap()).await;
    assert_eq!(ours.status, 200);
    let ours = get_page(&service, "/token", "").await;
    assert!(ours.set_cookie[0].starts_with("session=") && ours.vary && ours.body.matches('.').count() == 2);
}

#[tokio::test]
async fn the_proxy_alone_is_told_which_build_this_is() {
    let map = Map::new(MapOptions::new(Profile::Werkzeug10), &[]).unwrap();
    let application = Application::new(SECRET, map, Profile::Werkzeug10).unwrap();
    let service: Router =
        Views::<()>::new(Arc::new(application)).schema_heads(["5f3c", "1a"]).into_router(());
    let ask = async |method: &str, path: &str, header: Option<&str>| {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
        if let Some(name) = header {
            request = request.header(name, "203.0.113.9");
        }
        service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let mut answer = ask("GET", "/_ficus/about", None).await;
    while answer.status() == StatusCode::SERVICE_UNAVAILABLE && answer.headers().contains_key("retry-after") {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        answer = ask("GET", "/_ficus/about", None).await;
    }
    assert_eq!(answer.status(), StatusCode::OK);
    let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
    let document: Value = serde_json::from_slice(&body).unwrap();
    let build = document["build"].as_str().unwrap();
    assert!(build.len() == 32 && build.bytes().all(|byte| byte.is_ascii_hexdigit()), "{document}");
    assert_eq!(document["heads"], serde_json::json!(["5f3c", "1a"]));
    // What a client sent through a proxy, and everything but this one question, is Flask's.
    for (method, path, header) in [
        ("GET", "/_ficus/about", Some("x-forwarded-for")),
        ("GET", "/_ficus/about", Some("via")),
        ("GET", "/_ficus/about", Some("forwarded")),
        ("POST", "/_ficus/about", None),
        ("GET", "/_ficus/about/", None),
    ] {
        let answer = ask(method, path, header).await;
        assert!(answer.headers().contains_key("x-ficus-defer"), "{method} {path} {header:?}");
    }
}
