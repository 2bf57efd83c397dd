//! A canary as its users meet it: the same side every time, on every node and after a restart; writes pin, testers choose,
//! and a rollback ends all of it at once.

use flask_compat::Profile;
use flask_compat::login::RememberKey;
use flask_compat::session::{Map, SessionCodec, SessionConfig, Value};

use crate::ficus::{Ficus, exchange};

const SECRET: &str = "only for this test";

const ROUTES: &str = r#"version = 1
[[route]]
name = "public"
rule = "/public"
canary = { percent = 50.0, group = "customers" }
[[route]]
name = "customers.list"
rule = "/customers/"
canary = { percent = 50.0, group = "customers" }
[[route]]
name = "customers.create"
rule = "/customers/new"
methods = ["POST"]
canary = { percent = 0.0, group = "customers", pin = "1h" }
[[route]]
name = "other"
rule = "/other"
"#;

fn node() -> Ficus {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    std::fs::write(ficus.path("flask.key"), SECRET).unwrap();
    ficus.configure("[flask]\nsecret_key = { file = \"flask.key\" }\nrole_key = \"role\"\n");
    ficus.started()
}

/// An answer: which backend, and the cookies it sets.
struct Answer {
    backend: String,
    cookies: Vec<String>,
}

fn ask(ficus: &Ficus, method: &str, path: &str, headers: &str) -> Answer {
    let line = format!("{method} {path} HTTP/1.1\r\ncontent-length: 0\r\n");
    let text = exchange(ficus.port, &line, headers);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let cookie =
        |line: &str| line.to_ascii_lowercase().strip_prefix("set-cookie: ").map(|_| line[12..].to_owned());
    Answer { backend: body.to_owned(), cookies: head.lines().filter_map(cookie).collect() }
}

/// The `name=value` of a Set-Cookie header.
fn pair(cookie: &str) -> &str {
    cookie.split(';').next().unwrap()
}

fn session(user: &str, role: &str) -> String {
    let codec = SessionCodec::new(&[SECRET], SessionConfig::new(Profile::Werkzeug10));
    let text = |text: &str| Value::Str(text.to_owned());
    let values = [("_user_id".to_owned(), text(user)), ("role".to_owned(), text(role))];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    format!("session={}", codec.encode(&Map::from_iter(values), i64::try_from(now).unwrap()))
}

fn side(ficus: &Ficus, cookies: &str) -> String {
    ask(ficus, "GET", "/customers/", &format!("cookie: {cookies}\r\n")).backend
}

#[test]
fn a_user_stays_on_one_side_on_every_node_and_after_a_restart() {
    let (first, mut second) = (node(), node());
    let users: Vec<String> = (0..120).map(|id| session(&id.to_string(), "rep")).collect();
    let sides = |ficus: &Ficus| users.iter().map(|cookies| side(ficus, cookies)).collect::<Vec<_>>();
    let before = sides(&first);
    let rust = before.iter().filter(|side| *side == "rust").count();
    assert!((30..=90).contains(&rust), "{rust} of 120 users are in a canary of 50 %");
    assert_eq!(sides(&second), before);
    second.kill();
    second.run();
    assert_eq!(sides(&second), before);
    for (id, seen) in before.iter().enumerate() {
        let remembered =
            format!("remember_token={}", RememberKey::new(SECRET).unwrap().encode(&id.to_string()));
        assert_eq!(side(&first, &remembered), *seen, "the remember cookie of user {id}");
        let explained = first.json(&["explain", "GET", "/customers/", "--user", &id.to_string()]);
        assert_eq!(explained["explanation"]["backend"], **seen);
    }
}

#[test]
fn more_moves_nobody_back_and_less_takes_the_last_away() {
    let ficus = node();
    let users: Vec<String> = (0..80).map(|id| session(&id.to_string(), "rep")).collect();
    let inside = |share: &str| {
        ficus.ok(&["canary", "customers.list", share]);
        let inside: Vec<usize> = (0..users.len()).filter(|id| side(&ficus, &users[*id]) == "rust").collect();
        inside
    };
    let (ten, forty, all) = (inside("10%"), inside("40%"), inside("100%"));
    assert!(ten.iter().all(|id| forty.contains(id)) && ten.len() < forty.len());
    assert_eq!(all.len(), users.len());
    assert_eq!(inside("40%"), forty);
    assert_eq!(inside("10%"), ten);
}

#[test]
fn a_browser_gets_a_visitor_cookie_once_and_stays_where_it_was_first() {
    let (first, second) = (node(), node());
    for _ in 0..12 {
        let answer = ask(&first, "GET", "/customers/", "accept: text/html\r\n");
        let [cookie] = answer.cookies.as_slice() else { panic!("{:?}", answer.cookies) };
        assert!(cookie.starts_with("ficus_visitor="), "{cookie}");
        for attribute in ["; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=7776000"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "{cookie}");
        for ficus in [&first, &second] {
            let again = ask(ficus, "GET", "/customers/", &format!("cookie: {}\r\n", pair(cookie)));
            assert_eq!((again.backend, again.cookies.len()), (answer.backend.clone(), 0));
        }
    }
}

#[test]
fn nobody_else_gets_a_cookie() {
    let ficus = node();
    let cookies = |path: &str, headers: &str| ask(&ficus, "GET", path, headers).cookies;
    assert!(cookies("/customers/", "").is_empty(), "a script");
    assert!(cookies("/customers/", "accept: */*\r\nauthorization: Bearer x\r\n").is_empty(), "an API client");
    assert!(cookies("/other", "accept: text/html\r\n").is_empty(), "a route without a canary");
    assert!(cookies("/nowhere", "accept: text/html\r\n").is_empty(), "no route");
    assert!(cookies("/public", "accept: text/html\r\n").is_empty(), "an answer that caches share");
    let user = format!("accept: text/html\r\ncookie: {}\r\n", session("7", "rep"));
    assert!(cookies("/customers/", &user).is_empty(), "a user");
    let address = (0..5).map(|_| ask(&ficus, "GET", "/customers/", "").backend).collect::<Vec<_>>();
    assert!(address.iter().all(|side| *side == address[0]), "an address: {address:?}");
}

#[test]
fn a_made_up_visitor_is_not_believed() {
    let ficus = node();
    let made_up = "accept: text/html\r\ncookie: ficus_visitor=AAAAAAAAAAAAAAAAAAAAAA\r\n";
    assert_eq!(ask(&ficus, "GET", "/customers/", made_up).cookies.len(), 1);
}

#[test]
fn after_a_write_a_user_reads_from_the_side_that_answered_it() {
    let (ficus, other) = (node(), node());
    ficus.ok(&["canary", "customers.list", "100%"]);
    other.ok(&["canary", "customers.list", "100%"]);
    let user = session("7", "rep");
    assert_eq!(side(&ficus, &user), "rust");
    let write = ask(&ficus, "POST", "/customers/new", &format!("cookie: {user}\r\n"));
    assert_eq!(write.backend, "legacy");
    let [pin] = write.cookies.as_slice() else { panic!("{:?}", write.cookies) };
    assert!(pin.starts_with("ficus_pin_") && pin.contains("; HttpOnly"), "{pin}");
    let pinned = format!("{user}; {}", pair(pin));
    assert_eq!(side(&ficus, &pinned), "legacy");
    assert_eq!(side(&other, &pinned), "legacy", "the other node does not agree");
    let stranger = session("8", "rep");
    assert_eq!(side(&ficus, &stranger), "rust");
    let forged = format!("{user}; {}x", pair(pin));
    assert_eq!(side(&ficus, &forged), "rust");
    assert!(
        ask(&ficus, "GET", "/customers/", &format!("cookie: {user}\r\n")).cookies.is_empty(),
        "a read pins"
    );
}

#[test]
fn a_rollback_ignores_every_pin_and_every_token() {
    let ficus = node();
    ficus.ok(&["flip", "customers.create", "rust"]);
    let user = session("7", "rep");
    let write = ask(&ficus, "POST", "/customers/new", &format!("cookie: {user}\r\n"));
    assert_eq!(write.backend, "rust");
    let token = ficus.json(&["tester-token", "*"])["token"].as_str().unwrap().to_owned();
    let pinned = format!("cookie: {user}; {}\r\n", pair(&write.cookies[0]));
    let chosen = format!("x-ficus-tester: {token}\r\n");
    let answers = |headers: &str| ask(&ficus, "GET", "/customers/", headers).backend;
    assert_eq!((answers(&pinned).as_str(), answers(&chosen).as_str()), ("rust", "rust"));
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!((answers(&pinned).as_str(), answers(&chosen).as_str()), ("legacy", "legacy"));
    assert!(
        ask(&ficus, "POST", "/customers/new", "").cookies.len() == 1,
        "the group is still active on `public`"
    );
    ficus.ok(&["rollback", "--all"]);
    assert!(ask(&ficus, "POST", "/customers/new", "").cookies.is_empty());
}

#[test]
fn a_tester_chooses_and_nobody_else_does() {
    let ficus = node();
    ficus.ok(&["canary", "customers.list", "0%", "--testers", "on"]);
    ficus.ok(&["rollback", "public"]);
    let token = |scope: &str, side: &str| {
        let document = ficus.json(&["tester-token", scope, "--side", side, "--for", "1h"]);
        document["token"].as_str().unwrap().to_owned()
    };
    let by_header =
        |token: &str| ask(&ficus, "GET", "/customers/", &format!("x-ficus-tester: {token}\r\n")).backend;
    let good = token("customers.*", "candidate");
    assert_eq!(by_header(&good), "rust");
    assert_eq!(side(&ficus, &format!("ficus_tester={good}")), "rust");
    assert_eq!(by_header(&token("other", "candidate")), "legacy", "a token for another route");
    assert_eq!(by_header(&format!("{good}x")), "legacy");
    assert_eq!(by_header("Y2FuZGlkYXRlfDk5OTk5OTk5OTl8Kg.AAAA"), "legacy", "a token that somebody made up");
    let foreign = node();
    std::fs::write(foreign.path("flask.key"), "another secret").unwrap();
    ficus.ok(&["canary", "customers.list", "100%"]);
    assert_eq!(by_header(&token("*", "fallback")), "legacy");
    let log = ficus.log();
    assert!(log.contains("a tester's token was made") && !log.contains(&good), "{log}");
    let output = ficus.cli(&["tester-token", "*", "--for", "721h"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn users_roles_and_networks_are_in_by_name() {
    let ficus = node();
    ficus.ok(&["canary", "customers.list", "0%", "--users", "7", "--roles", "admin"]);
    assert_eq!(side(&ficus, &session("7", "rep")), "rust");
    assert_eq!(side(&ficus, &session("8", "rep")), "legacy");
    assert_eq!(side(&ficus, &session("8", "admin")), "rust");
    assert_eq!(ask(&ficus, "GET", "/customers/", "").backend, "legacy");
    ficus.ok(&["canary", "customers.list", "--networks", "127.0.0.0/8"]);
    assert_eq!(ask(&ficus, "GET", "/customers/", "").backend, "rust");
    let text = ficus.routes_text();
    assert!(text.contains("networks = [\"127.0.0.0/8\"]"), "{text}");
}
