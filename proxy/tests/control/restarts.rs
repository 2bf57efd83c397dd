//! Revisions over restarts: they go on, never back; a bad file at start is no reason not to serve.

use crate::ficus::{Ficus, ROUTES, command, texts};

#[test]
fn revisions_go_on_after_a_restart() {
    let mut ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    ficus.kill();
    ficus.run();
    assert_eq!(ficus.revision(), 2);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    ficus.kill();
    ficus.edit(ROUTES);
    ficus.run();
    assert_eq!(ficus.revision(), 3);
    assert_eq!(ficus.status()["last"]["author"], "file");
}

#[test]
fn the_store_alone_keeps_revisions_from_going_back() {
    let mut ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    ficus.wait("the store has it", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.kill();
    for name in ["routing.json", "audit.jsonl"] {
        std::fs::remove_file(ficus.path("state").join(name)).unwrap();
    }
    ficus.run();
    assert_eq!(ficus.revision(), 2);
    assert!(ficus.ok(&["status"]).starts_with("! what this node remembers was gone at start"));
}

#[test]
fn the_state_file_alone_keeps_revisions_from_going_back() {
    let mut ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    ficus.kill();
    for name in ["ficus.db", "ficus.db-wal", "ficus.db-shm"] {
        let _ = std::fs::remove_file(ficus.path("state").join(name));
    }
    ficus.run();
    assert_eq!(ficus.revision(), 2);
}

#[test]
fn a_bad_file_at_start_is_answered_with_the_last_good_one() {
    let mut ficus = Ficus::start(&ROUTES.replace("serve = 'legacy' ", "serve = 'rust' "));
    ficus.kill();
    ficus.edit("version = 1\nrouts = []\n");
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert_eq!(ficus.status()["file"]["ok"], false);
    assert!(ficus.ok(&["status"]).starts_with("! `routes.toml` has 1 error"));
}

#[test]
fn without_a_last_good_file_a_bad_one_is_an_error() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), "version = 1\nrouts = []\n").unwrap();
    let output = command(ficus.directory.path()).arg("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = texts(&output).1;
    assert!(said.contains("unknown key `routs`") && said.contains("did you mean `route`?"), "{said}");
}

#[test]
fn without_a_routing_file_everything_goes_to_legacy() {
    let ficus = Ficus::prepare().started();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let output = ficus.cli(&["flip", "customers.list", "rust"]);
    assert_eq!(output.status.code(), Some(1));
    let said = texts(&output).1;
    assert!(said.contains("there is no routing file, so everything goes to `legacy`"), "{said}");
    assert_eq!(ficus.ok(&["rollback", "--all"]), "every route: nothing to change (revision 1)\n");
    assert!(ficus.ok(&["status"]).contains("file      none, everything goes to legacy"));
}

#[test]
fn a_flip_that_was_cut_off_after_the_file_is_still_the_authors() {
    let mut ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    ficus.wait("the store has it", |ficus| ficus.status()["store"]["pending"] == 0);
    // As if the process had ended between the journal and the routing file on one side and its state on the other.
    let before = std::fs::read_to_string(ficus.path("state/routing.json")).unwrap();
    ficus.ok(&["flip", "customers.detail", "rust", "--reason", "CRM-813"]);
    let history = ficus.json(&["history", "--limit", "1"]);
    ficus.kill();
    std::fs::write(ficus.path("state/routing.json"), before).unwrap();
    let mut record = history["changes"][0].clone();
    record["at"] = serde_json::json!("2026-01-01T00:00:00Z");
    std::fs::write(ficus.path("state/journal.jsonl"), format!("{record}\n{{\"cut off")).unwrap();
    ficus.run();
    let status = ficus.status();
    assert_eq!(status["revision"], 3);
    assert_eq!(status["last"]["reason"], "CRM-813");
}

#[test]
fn killed_between_any_two_steps_of_a_flip_the_file_is_whole_and_the_history_true() {
    let mut ficus = Ficus::start(ROUTES);
    let mut acknowledged = 1;
    for round in 0..12 {
        let pid = ficus.pid();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // Not a synchronisation: each round ends the process at another moment of its flips.
                std::thread::sleep(std::time::Duration::from_millis(7 * (round + 1)));
                let _ = nix::sys::signal::kill(
                    nix::unistd::Pid::from_raw(pid),
                    nix::sys::signal::Signal::SIGKILL,
                );
            });
            for backend in ["rust", "legacy"].iter().cycle() {
                let output = ficus.cli(&["flip", "customers.list", backend, "--json"]);
                if !output.status.success() {
                    break;
                }
                let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                acknowledged = answer["revision"].as_u64().unwrap();
            }
        });
        ficus.kill();
        ficus.ok(&["check"]);
        ficus.run();
        let revision = ficus.revision();
        assert!(revision == acknowledged || revision == acknowledged + 1, "{acknowledged} became {revision}");
        acknowledged = revision;
        let said = if ficus.routes_text().contains("serve = \"rust\" ") { "rust" } else { "legacy" };
        assert_eq!(ficus.answered_by("/customers/"), said);
    }
    let history = ficus.json(&["history", "--limit", "1000"]);
    let mut revisions: Vec<u64> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["revision"].as_u64().unwrap())
        .collect();
    revisions.reverse();
    assert_eq!(revisions, (1..=acknowledged).collect::<Vec<u64>>());
}
