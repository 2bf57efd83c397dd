//! What a backend is told about a request, and what nobody else can make it believe.

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

#[test]
fn a_stranger_cannot_speak_for_the_proxy() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let lies = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n\
                X-Forwarded-Prefix: /evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=203.0.113.9\r\n\
                X_Forwarded_For: 203.0.113.9\r\nRemote_User: admin\r\nContent_Length: 5\r\nProxy: evil.example\r\n\
                X-Ficus-Route: admin\r\nX-Request-Id: chosen\r\n";
    assert_eq!(ficus.connect().request("GET", "/", lies, "").status, 200);
    let received = legacy.only();
    assert_eq!(received.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(received.all("forwarded"), ["for=127.0.0.1;host=\"crm.example\";proto=http"]);
    assert_eq!(received.all("x-forwarded-proto"), ["http"]);
    assert_eq!(received.all("x-forwarded-host"), ["crm.example"]);
    assert_eq!(received.all("host"), ["crm.example"]);
    let gone = ["x-forwarded-prefix", "x-forwarded-port", "proxy", "x-ficus-route"];
    assert!(gone.iter().all(|name| received.all(name).is_empty()), "{}", received.head);
    assert!(!received.head.lines().skip(1).any(|line| line.split(':').next().unwrap().contains('_')));
    let id = received.header("x-request-id").unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
}

#[test]
fn a_trusted_proxy_is_believed_and_the_user_stays_first() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("listen.trusted_proxies", "127.0.0.0/8").start();
    let said = "X-Forwarded-For: 203.0.113.9, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\
                X-Forwarded-Host: www.example\r\nX-Request-Id: from-the-edge\r\n";
    ficus.connect().request("GET", "/", said, "");
    let received = legacy.only();
    assert_eq!(received.all("x-forwarded-for"), ["203.0.113.9, 10.0.0.2, 127.0.0.1"]);
    assert_eq!(received.all("x-forwarded-proto"), ["https"]);
    assert_eq!(received.all("x-forwarded-host"), ["www.example"]);
    assert_eq!(received.all("x-request-id"), ["from-the-edge"]);
}

#[test]
fn a_trace_is_continued() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    ficus.connect().request("GET", "/", &format!("traceparent: {parent}\r\ntracestate: a=b\r\n"), "");
    ficus.connect().request("GET", "/", "traceparent: nonsense\r\ntracestate: a=b\r\n", "");
    let received = legacy.received();
    let continued = received[0].header("traceparent").unwrap();
    assert!(continued.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && continued.ends_with("-00"));
    assert_ne!(continued, parent);
    assert_eq!(received[0].header("tracestate"), Some("a=b"));
    let made = received[1].header("traceparent").unwrap();
    assert!(made.len() == parent.len() && !made.contains("nonsense"), "{made}");
    assert_eq!(received[1].header("tracestate"), None);
}

#[test]
fn hop_by_hop_headers_end_here() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let hop = "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n\
               Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Stays: 1\r\n";
    ficus.connect().request("GET", "/", hop, "");
    let received = legacy.only();
    let gone = ["x-hop", "keep-alive", "te", "proxy-connection", "upgrade", "connection"];
    assert!(gone.iter().all(|name| received.all(name).is_empty()), "{}", received.head);
    assert_eq!(received.all("x-stays"), ["1"]);
}

#[test]
fn cookies_arrive_as_one_header() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    ficus.connect().request("GET", "/", "Cookie: a=1\r\nCookie: session=x.y.z\r\n", "");
    assert_eq!(legacy.only().all("cookie"), ["a=1; session=x.y.z"]);
}

#[test]
fn names_of_headers_keep_their_case() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    ficus.connect().request("GET", "/", "x-lower: 1\r\nX-CSRFToken: 2\r\n", "");
    let head = legacy.only().head;
    assert!(head.contains("\r\nx-lower: 1\r\n") && head.contains("\r\nX-CSRFToken: 2\r\n"), "{head}");
}

#[test]
fn only_a_candidate_is_told_the_route() {
    let (legacy, rust) = (Backend::saying("legacy"), Backend::saying("rust"));
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    ficus.connect().get("/items/7");
    ficus.connect().get("/other");
    assert_eq!(rust.only().header("x-ficus-route"), Some("item"));
    assert_eq!(legacy.only().header("x-ficus-route"), None);
}

#[test]
fn an_answer_shows_who_gave_it_only_if_that_is_wanted() {
    let rust = Backend::tcp(|exchange| {
        exchange.answer("200 OK", "X-Ficus-Internal: 1\r\nX-Ficus-Route: made up\r\n", "rust");
        Then::Keep
    });
    let legacy = Backend::saying("legacy");
    let shy = Setup::new(&legacy).candidate(&rust).start();
    let answer = shy.connect().get("/items/7");
    assert!(!answer.head.to_lowercase().contains("x-ficus"), "{}", answer.head);
    let open = Setup::new(&legacy).candidate(&rust).set("listen.reveal", "true").start();
    let answer = open.connect().get("/items/7");
    assert_eq!(answer.all("x-ficus-route"), ["item"]);
    assert_eq!(answer.all("x-ficus-backend"), ["rust"]);
    assert_eq!(answer.all("x-ficus-revision"), ["1"]);
    assert_eq!(open.connect().get("/other").all("x-ficus-backend"), ["legacy"]);
}
