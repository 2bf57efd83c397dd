//! Settings that are read again while the process runs.

use crate::backend::Backend;
use crate::ficus::{Ficus, Setup};

fn edit(ficus: &Ficus, more: &str) {
    let path = ficus.file("ficus.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = text.split("# edited\n").next().unwrap();
    std::fs::write(path, format!("{own}# edited\n{more}")).unwrap();
}

fn reload(ficus: &Ficus) -> String {
    String::from_utf8(ficus.cli(&["reload"]).stdout).unwrap()
}

#[test]
fn what_may_change_holds_at_once_and_the_rest_is_named() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let mut kept = ficus.connect();
    let long = format!("/{}", "x".repeat(2_000));
    assert_eq!(kept.get(&long).status, 200);
    edit(
        &ficus,
        "[limits]\nuri_bytes = 1000\nbackend_requests = 9\n[listen]\nreveal = true\n[log]\nlevel = \"debug\"\n",
    );
    let said = reload(&ficus);
    for line in [
        "limits.uri_bytes: holds now",
        "listen.reveal: holds now",
        "log.level: holds now",
        "limits.backend_requests: needs a new process; `ficus upgrade` starts one without an interruption",
    ] {
        assert!(said.lines().any(|found| found == line), "{line} is not in\n{said}");
    }
    let answer = kept.get("/");
    assert_eq!(answer.header("x-ficus-backend"), Some("legacy"), "a kept connection sees it too");
    assert_eq!(kept.get(&long).status, 414);
    // By signal the same; what still waits is named again.
    edit(&ficus, "[limits]\nbackend_requests = 9\n");
    ficus.signal("HUP");
    ficus.wait_for("reload asked for by signal");
    assert_eq!(ficus.connect().get(&long).status, 200);
    assert!(reload(&ficus).contains("limits.backend_requests: needs a new process"));
}

#[test]
fn bad_settings_change_nothing() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    edit(&ficus, "[limits]\nuri_bytes = 10\nheader_byts = 3\n");
    let said = ficus.fails(&["reload"]);
    assert!(
        said.contains("unknown key `header_byts`") && said.contains("did you mean `header_bytes`"),
        "{said}"
    );
    assert_eq!(ficus.connect().get("/a/longer/path/than/that").status, 200);
    assert!(ficus.metrics().contains("ficus_settings_last_reload_successful 0"));
    edit(&ficus, "");
    assert!(reload(&ficus).contains("nothing has changed"));
    assert!(ficus.metrics().contains("ficus_settings_last_reload_successful 1"));
}
