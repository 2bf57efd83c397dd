//! A flip: the file changes as little as possible, the table at once, the history tells.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::json;

use crate::ficus::{Ficus, ROUTES};

#[test]
fn a_flip_changes_one_word_of_the_file_and_the_next_answer() {
    let ficus = Ficus::start(ROUTES);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    let before = ficus.revision();
    let answer = ficus.json(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert_eq!(answer["revision"], before + 1);
    assert_eq!(
        answer["changes"],
        json!([{
            "route": "customers.list", "before": "legacy", "after": "rust", "more": true,
        }])
    );
    assert_eq!(answer["undo"], format!("ficus undo {}", before + 1));
    assert_eq!(ficus.routes_text(), ROUTES.replace("serve = 'legacy' ", "serve = \"rust\" "));
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.routes_text(), ROUTES.replace("'legacy' ", "\"legacy\" "));
}

#[test]
fn a_canary_names_its_share_and_keeps_its_users() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.detail", "rust", "--canary", "12.5%"]);
    assert!(
        ficus
            .routes_text()
            .contains("canary = { users = [\"7\"], percent = 12.5, group = \"customers\" } # Ana tries it\n")
    );
    let explained =
        |user: &str| ficus.json(&["explain", "GET", "/customers/1", "--user", user])["explanation"].clone();
    assert_eq!(explained("7")["reason"], "canary_user");
    assert!(explained("8")["bucket"].is_u64());
    ficus.ok(&["rollback", "customers.detail"]);
    let text = ficus.routes_text();
    assert!(
        text.contains("canary = { users = [], percent = 0.0, group = \"customers\" } # Ana tries it\n"),
        "{text}"
    );
    assert_eq!(explained("7")["backend"], "legacy");
}

#[test]
fn switched_off_means_503_and_stays_so_when_all_roll_back() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "off"]);
    ficus.ok(&["flip", "customers.detail", "rust"]);
    assert_eq!(ficus.http(ficus.port, "/customers/").0, 503);
    ficus.ok(&["rollback", "--all"]);
    assert_eq!(ficus.answered_by("/customers/1"), "legacy");
    assert_eq!(ficus.http(ficus.port, "/customers/").0, 503);
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
}

#[test]
fn what_is_so_already_makes_no_revision() {
    let routes = ROUTES.replace("users = [\"7\"]", "users = []");
    let ficus = Ficus::start(&routes);
    let before = ficus.revision();
    assert_eq!(ficus.ok(&["rollback", "customers.list"]), "customers.list: nothing to change (revision 1)\n");
    assert_eq!(ficus.ok(&["rollback", "--all"]), "every route: nothing to change (revision 1)\n");
    assert_eq!(ficus.revision(), before);
    assert_eq!(ficus.routes_text(), routes);
}

#[test]
fn a_decision_on_an_old_picture_is_refused_with_who_changed_it() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust"]);
    let output = ficus.cli(&["flip", "customers.detail", "rust", "--if-revision", "1"]);
    assert_eq!(output.status.code(), Some(4));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("error: revision 1 is not the current one: 2 was made by `"), "{said}");
    assert!(said.contains("customers.list: legacy -> rust"), "{said}");
    ficus.ok(&["flip", "customers.detail", "rust", "--if-revision", "2"]);
}

#[test]
fn the_history_names_author_reason_and_way() {
    let ficus = Ficus::start(ROUTES);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    ficus.ok(&["rollback", "customers.list", "--reason", "wrong totals"]);
    ficus.ok(&["flip", "customers.detail", "rust"]);
    let history = ficus.json(&["history", "customers.list"]);
    let changes = history["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0]["revision"], 3);
    assert_eq!(changes[0]["action"], "rollback");
    assert_eq!(changes[0]["reason"], "wrong totals");
    assert_eq!(
        changes[1]["routes"],
        json!([{ "route": "customers.list", "before": "legacy", "after": "rust" }])
    );
    let own_name = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).unwrap().unwrap().name;
    assert_eq!(changes[1]["author"], own_name);
    let all = ficus.json(&["history"]);
    let revisions: Vec<u64> =
        all["changes"].as_array().unwrap().iter().map(|c| c["revision"].as_u64().unwrap()).collect();
    assert_eq!(revisions, [4, 3, 2, 1]);
}

#[test]
fn mode_and_owner_of_the_file_are_kept() {
    let ficus = Ficus::start(ROUTES);
    std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o664)).unwrap();
    let before = std::fs::metadata(ficus.routes()).unwrap();
    ficus.ok(&["flip", "customers.list", "rust"]);
    let after = std::fs::metadata(ficus.routes()).unwrap();
    assert_ne!(before.ino(), after.ino(), "the file was written in place");
    assert_eq!((before.mode(), before.uid(), before.gid()), (after.mode(), after.uid(), after.gid()));
}

#[test]
fn many_flips_at_once_are_all_made_one_after_the_other() {
    let ficus = Ficus::start(ROUTES);
    std::thread::scope(|scope| {
        for route in ["customers.list", "customers.detail"] {
            let ficus = &ficus;
            scope.spawn(move || {
                for round in 0..10 {
                    ficus.ok(&["flip", route, if round % 2 == 0 { "rust" } else { "legacy" }]);
                }
            });
        }
    });
    assert_eq!(ficus.revision(), 21);
    assert_eq!(ficus.json(&["history", "--limit", "100"])["changes"].as_array().unwrap().len(), 21);
}
