//! Whether this node is alive, and whether it should get traffic.

use crate::backend::{Backend, Then, nobody};
use crate::ficus::{Setup, eventually};

#[test]
fn a_node_is_ready_when_one_backend_can_be_reached() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).candidate_at(&nobody()).start();
    for path in ["/readyz", "/healthz"] {
        assert_eq!(ficus.ask(path, ""), (200, "ok\n".to_owned()));
    }
    assert_eq!(ficus.ask("/livez", ""), (200, "ok\n".to_owned()));
    let (status, text) = ficus.ask("/readyz?verbose", "");
    assert_eq!(status, 200);
    for line in ["[+] routing: revision 1, 1 routes", "[+] backend legacy: ", "[-] backend rust: ", "ready"] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    }
}

#[test]
fn a_node_without_any_backend_is_alive_and_not_ready() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).set("backends.legacy", &nobody()).start();
    eventually("not ready", || ficus.ask("/readyz", "").0 == 503);
    assert_eq!(ficus.ask("/readyz", "").1, "no backend can be reached\n");
    let (status, text) = ficus.ask("/readyz?verbose=1", "");
    assert_eq!(status, 503);
    assert!(text.ends_with("not ready: no backend can be reached\n"), "{text}");
    assert_eq!(ficus.ask("/livez", "").0, 200);
}

/// The handlers' database is down: they answer 500 or hand back, Flask answers for them, and the node is as ready as
/// before.
#[test]
fn failing_handlers_do_not_make_a_node_unready() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| {
        exchange.answer("500 Internal Server Error", "", "the database is down");
        Then::Close
    });
    let ficus = Setup::new(&legacy).candidate(&rust).start();
    for _ in 0..20 {
        assert_eq!(ficus.connect().get("/items/7").text(), "legacy");
    }
    assert_eq!(ficus.ask("/readyz", "").0, 200);
}

#[test]
fn a_bad_routing_file_is_shown_and_does_not_make_a_node_unready() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    std::fs::write(ficus.file("routes.toml"), "version = 1\nrouts = []\n").unwrap();
    ficus.signal("HUP");
    eventually("the bad file to be seen", || {
        ficus.ask("/readyz?verbose", "").1.contains("routing file: bad")
    });
    assert_eq!(ficus.ask("/readyz", "").0, 200);
    assert!(ficus.metrics().contains("ficus_config_last_reload_successful 0"));
}
