//! Rollbacks that cannot be written: laid over the file, visible, kept, and gone when the file agrees.

use std::os::unix::fs::PermissionsExt;

use crate::ficus::{Ficus, ROUTES, texts};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

fn protect(ficus: &Ficus, mode: u32) {
    std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(mode)).unwrap();
}

#[test]
fn a_rollback_works_with_a_read_only_file_and_survives_a_restart() {
    let mut ficus = Ficus::start(&moved());
    protect(&ficus, 0o444);
    let output = ficus.cli(&["flip", "customers.detail", "rust"]);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("is read-only"), "{said}");

    let output = ficus.cli(&["rollback", "customers.list", "--reason", "3 am"]);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    assert!(out.starts_with("customers.list: rust -> legacy (revision 2)\n"), "{out}");
    assert!(err.contains("this rollback lies over it"), "{err}");
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.routes_text(), moved());
    let drift = ficus.status()["drift"][0].clone();
    assert_eq!((drift["route"].as_str(), drift["file"].as_str()), (Some("customers.list"), Some("rust")));
    assert!(ficus.ok(&["status"]).contains("! customers.list: the file says rust, running is legacy"));
    assert_eq!(ficus.cli(&["status", "--exit-code"]).status.code(), Some(3));

    ficus.kill();
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.revision(), 2);

    ficus.edit(ROUTES);
    ficus.wait("the file agrees", |ficus| ficus.status()["drift"].as_array().unwrap().is_empty());
    ficus.ok(&["resume", "customers.list"]);
    ficus.edit(&moved());
    ficus.wait("the file counts again", |ficus| ficus.answered_by("/customers/") == "rust");
}

#[test]
fn a_flip_ends_what_lay_over_the_file() {
    let ficus = Ficus::start(&moved());
    protect(&ficus, 0o444);
    ficus.ok(&["rollback", "--all"]);
    assert_eq!(ficus.status()["drift"].as_array().unwrap().len(), 2);
    protect(&ficus, 0o644);
    ficus.ok(&["flip", "customers.list", "legacy"]);
    ficus.ok(&["resume", "customers.list"]);
    ficus.ok(&["flip", "customers.list", "rust"]);
    ficus.ok(&["resume", "customers.detail"]);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert!(ficus.status()["drift"].as_array().unwrap().is_empty());
    assert_eq!(ficus.routes_text(), moved().replace("'rust' ", "\"rust\" "));
}

#[test]
fn a_second_rollback_writes_the_file_once_it_can() {
    let ficus = Ficus::start(&moved());
    protect(&ficus, 0o444);
    ficus.ok(&["rollback", "customers.list"]);
    protect(&ficus, 0o644);
    ficus.ok(&["rollback", "customers.list"]);
    assert!(ficus.status()["drift"].as_array().unwrap().is_empty());
    assert!(ficus.routes_text().contains("serve = \"legacy\" "));
}

#[test]
fn a_rollback_works_while_the_file_has_errors() {
    let ficus = Ficus::start(&moved());
    ficus.edit("version = 1\n[[route]]\nname = \"half\n");
    let output = ficus.cli(&["flip", "customers.detail", "rust"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("routes.toml:3:"), "{}", texts(&output).1);
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.status()["file"]["ok"], false);
}

#[test]
fn a_rollback_needs_no_store() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), moved()).unwrap();
    // A directory where the database should be: it can never be opened.
    std::fs::create_dir_all(ficus.path("state/ficus.db")).unwrap();
    let mut ficus = ficus.started();
    ficus.ok(&["rollback", "customers.list", "--reason", "store is down"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    ficus.wait("the store's trouble is shown", |ficus| ficus.status()["store"]["up"] == false);
    assert!(ficus.status()["store"]["pending"].as_u64().unwrap() >= 1);

    ficus.kill();
    std::fs::remove_dir(ficus.path("state/ficus.db")).unwrap();
    ficus.run();
    assert_eq!(ficus.revision(), 2);
    let history = ficus.json(&["history", "customers.list"]);
    assert_eq!(history["changes"][0]["reason"], "store is down");
}
