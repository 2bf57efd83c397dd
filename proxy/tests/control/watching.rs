//! Hand edits: seen however they are made, a revision each, and never mistaken for our own.

use std::os::unix::fs::symlink;

use crate::ficus::{Ficus, ROUTES};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

fn wait_for(ficus: &Ficus, backend: &str) {
    ficus.wait(&format!("{backend} answers"), |ficus| ficus.answered_by("/customers/") == backend);
}

#[test]
fn a_hand_edit_is_a_revision_by_file() {
    let ficus = Ficus::start(ROUTES);
    ficus.edit(&moved());
    wait_for(&ficus, "rust");
    let status = ficus.status();
    assert_eq!(status["revision"], 2);
    assert_eq!(status["last"]["author"], "file");
    assert_eq!(status["last"]["routes"][0]["after"], "rust");
    ficus.edit(ROUTES);
    wait_for(&ficus, "legacy");
    assert_eq!(ficus.revision(), 3);
}

#[test]
fn an_edit_in_place_is_seen_twice_in_a_row() {
    let ficus = Ficus::start(ROUTES);
    std::fs::write(ficus.routes(), moved()).unwrap();
    wait_for(&ficus, "rust");
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    wait_for(&ficus, "legacy");
    std::fs::remove_file(ficus.routes()).unwrap();
    std::fs::write(ficus.routes(), moved()).unwrap();
    wait_for(&ficus, "rust");
}

#[test]
fn mounted_configuration_that_swaps_a_link_is_seen() {
    let ficus = Ficus::prepare();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(ficus.path(name)).unwrap();
        std::fs::write(ficus.path(name).join("routes.toml"), text).unwrap();
    };
    version("..1", ROUTES);
    symlink("..1", ficus.path("..data")).unwrap();
    symlink("..data/routes.toml", ficus.routes()).unwrap();
    let ficus = ficus.started();
    for (number, text, backend) in [("..2", moved(), "rust"), ("..3", ROUTES.to_owned(), "legacy")] {
        std::fs::create_dir(ficus.path(number)).unwrap();
        std::fs::write(ficus.path(number).join("routes.toml"), text).unwrap();
        symlink(number, ficus.path("..next")).unwrap();
        std::fs::rename(ficus.path("..next"), ficus.path("..data")).unwrap();
        wait_for(&ficus, backend);
    }
}

#[test]
fn a_link_to_a_file_elsewhere_stays_a_link() {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("crm.toml");
    std::fs::write(&target, ROUTES).unwrap();
    let ficus = Ficus::prepare();
    symlink(&target, ficus.routes()).unwrap();
    let ficus = ficus.started();
    std::fs::write(&target, moved()).unwrap();
    wait_for(&ficus, "rust");
    ficus.ok(&["rollback", "customers.list"]);
    assert!(std::fs::symlink_metadata(ficus.routes()).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&target).unwrap().contains("serve = \"legacy\" "));
}

#[test]
fn a_file_that_vanishes_changes_nothing() {
    let ficus = Ficus::start(&moved());
    std::fs::remove_file(ficus.routes()).unwrap();
    ficus.wait("the loss is seen", |ficus| ficus.status()["file"]["ok"] == false);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    ficus.edit(&moved());
    ficus.wait("the return is seen", |ficus| ficus.status()["file"]["ok"] == true);
    assert_eq!(ficus.revision(), 1);
}

#[test]
fn a_flip_right_after_a_hand_edit_keeps_both() {
    let ficus = Ficus::start(ROUTES);
    ficus.edit(&moved());
    ficus.ok(&["flip", "customers.detail", "rust"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert_eq!(ficus.answered_by("/customers/1"), "rust");
    let authors: Vec<String> = ficus.json(&["history"])["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["author"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(authors.len(), 3);
    assert_eq!(authors[1..], ["file", "file"]);
}

#[test]
fn a_comment_alone_is_a_revision_that_moves_nothing() {
    let ficus = Ficus::start(ROUTES);
    ficus.edit(&format!("{ROUTES}# ask Marco, too\n"));
    ficus.wait("the comment is seen", |ficus| ficus.revision() == 2);
    assert!(ficus.ok(&["history"]).contains("file edited, no route moved"));
}
