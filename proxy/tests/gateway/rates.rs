//! Routes with a `rate`: who asks too often waits, and nobody else does.

use chrono::Utc;
use flask_compat::Profile;
use flask_compat::session::{Map, SessionCodec, SessionConfig, Value};

use crate::backend::Backend;
use crate::ficus::Setup;

fn cookie(user: &str) -> String {
    let codec = SessionCodec::new(&["key"], SessionConfig::new(Profile::Werkzeug10));
    let session = Map::from_iter([("_user_id".to_owned(), Value::Str(user.to_owned()))]);
    format!("Cookie: session={}\r\n", codec.encode(&session, Utc::now().timestamp()))
}

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back() {
    let legacy = Backend::saying("legacy");
    let rate = "serve = \"legacy\"\nrate = { per = \"client\", requests = 2, window = \"1h\" }\n";
    let ficus = Setup::new(&legacy).route(rate).set("listen.trusted_proxies", "127.0.0.1").start();
    let from = |address: &str| {
        let header = format!("X-Forwarded-For: {address}\r\n");
        ficus.connect().request("GET", "/items/7", &header, "")
    };
    assert_eq!((from("192.0.2.1").status, from("192.0.2.1").status), (200, 200));
    let refused = from("192.0.2.1");
    assert_eq!(refused.status, 429);
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1_800).contains(&seconds), "{seconds}");
    assert!(refused.text().contains("too often"), "{}", refused.text());
    assert_eq!(from("192.0.2.2").status, 200, "another client");
    assert_eq!(ficus.connect().get("/other").status, 200, "another route");
    assert_eq!(legacy.requests(), 4);
    assert_eq!(ficus.metric("ficus_requests_rejected_total{reason=\"too_many_requests\"}"), 1);
    // Each connection is answered, and logged, by the worker that has it: the order is that of their threads.
    let refusals = ficus.log(5).iter().filter(|line| line["reason"] == "too_many_requests").count();
    assert_eq!(refusals, 1);
}

#[test]
fn a_user_is_counted_wherever_they_come_from() {
    let legacy = Backend::saying("legacy");
    let rate = "serve = \"legacy\"\nrate = { per = \"user\", requests = 10, window = \"1h\", burst = 1 }\n";
    let ficus = Setup::new(&legacy)
        .route(rate)
        .set("flask.secret_key", "key")
        .set("listen.trusted_proxies", "127.0.0.1")
        .start();
    let ask = |headers: &str| ficus.connect().request("GET", "/items/7", headers, "").status;
    assert_eq!(ask(&cookie("7")), 200);
    assert_eq!(ask(&format!("X-Forwarded-For: 192.0.2.1\r\n{}", cookie("7"))), 429);
    assert_eq!(ask(&cookie("8")), 200, "another user at the same address");
    assert_eq!(ask(""), 200, "nobody in particular");
    assert_eq!(ask("Cookie: session=forged\r\n"), 429, "is counted by address");
}
