//! Disks that refuse: full, read-only, a file that is a mount point of its own. The file stays whole, nothing sends more
//! users to Rust, a rollback works all the same, and the record is complete once the disk takes it again.
//!
//! Real mounts in a mount namespace of ficus' own, where the machine allows that (as root); elsewhere a limit on file sizes
//! and a directory without write permission stand in for them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::ficus::{Ficus, ROUTES, command, texts};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

fn namespaces() -> bool {
    let tried = Command::new("unshare").args(["-m", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// A command that mounts something first, where only ficus sees it.
fn mounted(ficus: &Ficus, mount: &str) -> Command {
    let binary = command(ficus.directory.path());
    let mut shell = Command::new("unshare");
    let script = format!("{mount} && exec {} \"$@\"", binary.get_program().to_str().unwrap());
    shell.current_dir(ficus.directory.path()).args(["-m", "sh", "-c", &script, "sh"]).stdin(Stdio::null());
    shell.env_remove("FLASK_SECRET_KEY").env("TZ", "UTC");
    shell
}

/// A path as the process of ficus sees it.
fn inside(ficus: &Ficus, name: &str) -> PathBuf {
    let path = ficus.path(name);
    PathBuf::from(format!("/proc/{}/root{}", ficus.pid(), path.display()))
}

/// Fills a small file system; what fills it can be removed again.
fn fill(ficus: &Ficus, name: &str) -> PathBuf {
    let path = inside(ficus, name);
    let mut file = std::fs::File::create(&path).unwrap();
    let block = [0_u8; 512];
    while std::io::Write::write_all(&mut file, &block).is_ok() {}
    path
}

/// Lets no file of the process grow beyond so many bytes.
fn limit_files(ficus: &Ficus, bytes: &str) {
    let done = Command::new("prlimit")
        .args(["--pid", &ficus.pid().to_string(), &format!("--fsize={bytes}:unlimited")])
        .status()
        .unwrap();
    assert!(done.success());
}

fn prepared(routes: &str) -> Ficus {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), routes).unwrap();
    ficus
}

#[track_caller]
fn refused(ficus: &Ficus, arguments: &[&str], expected: &str) {
    let output = ficus.cli(arguments);
    let (_, said) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_file_that_is_a_mount_point_refuses_flips_and_takes_rollbacks_over_it() {
    let mut ficus = prepared(&moved());
    let real = namespaces();
    if real {
        std::fs::write(ficus.path("mounted.toml"), moved()).unwrap();
        let command = mounted(&ficus, "mount --bind mounted.toml routes.toml");
        ficus.run_as(command);
    } else {
        ficus.run();
        std::fs::set_permissions(ficus.directory.path(), PermissionsExt::from_mode(0o555)).unwrap();
    }
    let expected = if real { "is a mount point of its own and cannot be replaced" } else { "read-only" };
    refused(&ficus, &["flip", "customers.detail", "rust"], expected);
    let output = ficus.cli(&["rollback", "customers.list"]);
    let (_, err) = texts(&output);
    assert!(output.status.success() && err.contains(expected), "{err}");
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(std::fs::read_to_string(inside(&ficus, "routes.toml")).unwrap(), moved());
    let drift = ficus.status()["drift"][0].clone();
    assert_eq!((drift["file"].as_str(), drift["running"].as_str()), (Some("rust"), Some("legacy")));
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.ok(&["audit", "--verify"]);
    let _ = std::fs::set_permissions(ficus.directory.path(), PermissionsExt::from_mode(0o755));
    if real {
        ficus.kill();
        let command = mounted(&ficus, "mount --bind mounted.toml routes.toml");
        ficus.run_as(command);
        assert_eq!(ficus.answered_by("/customers/"), "legacy", "the override did not survive");
    }
}

#[test]
fn a_flip_that_is_taken_back_at_the_last_moment_is_on_record() {
    let ficus = prepared(ROUTES).started();
    // What is beside the file can be written, and then nothing can be put in its place.
    std::fs::remove_file(ficus.routes()).unwrap();
    std::fs::create_dir_all(ficus.path("routes.toml/in-the-way")).unwrap();
    std::fs::write(ficus.path("moved.toml"), moved()).unwrap();
    let output = ficus.cli(&["apply", "moved.toml"]);
    let (_, said) = texts(&output);
    assert!(output.status.code() == Some(1) && said.contains("cannot write"), "{said}");
    assert_eq!((ficus.answered_by("/customers/").as_str(), ficus.revision()), ("legacy", 1));
    ficus.wait("it is logged", |ficus| ficus.log().contains("it was taken back"));
    ficus.wait("it is in the audit", |ficus| {
        let said = ficus.ok(&["audit"]);
        said.lines().any(|line| line.contains("refused") && line.contains("taken_back"))
    });
    ficus.ok(&["audit", "--verify"]);
    std::fs::remove_dir_all(ficus.routes()).unwrap();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    ficus.wait("all is well again", |ficus| ficus.cli(&["flip", "customers.list", "rust"]).status.success());
    assert_eq!(ficus.revision(), 2);
}

#[test]
fn a_full_disk_under_the_state_refuses_what_it_cannot_record() {
    let mut ficus = prepared(&moved());
    let filler = if namespaces() {
        std::fs::create_dir(ficus.path("state")).unwrap();
        // The socket is reached from outside through the directory above.
        ficus.configure("");
        let settings = std::fs::read_to_string(ficus.path("ficus.toml")).unwrap();
        std::fs::write(ficus.path("ficus.toml"), settings.replace("state/admin.sock", "admin.sock")).unwrap();
        let command = mounted(&ficus, "mount -t tmpfs -o size=512k tmpfs state");
        ficus.run_as(command);
        ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        Some(fill(&ficus, "state/filler"))
    } else {
        ficus.run();
        ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        limit_files(&ficus, "64");
        None
    };
    let before = ficus.routes_text();
    refused(
        &ficus,
        &["flip", "customers.detail", "rust"],
        "the change cannot be put on record, so it is not made",
    );
    assert_eq!((ficus.routes_text(), ficus.revision()), (before, 1));
    let output = ficus.cli(&["rollback", "customers.list", "--reason", "the disk is full"]);
    let (out, err) = texts(&output);
    assert!(output.status.success(), "{out}{err}");
    assert!(err.contains("cannot write"), "{err}");
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert!(ficus.status()["store"]["pending"].as_u64().unwrap() >= 1);
    match &filler {
        Some(filler) => std::fs::remove_file(filler).unwrap(),
        None => limit_files(&ficus, "unlimited"),
    }
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    let last = ficus.json(&["history", "-n", "1"])["changes"][0].clone();
    assert_eq!((last["revision"].as_u64(), last["reason"].as_str()), (Some(2), Some("the disk is full")));
    ficus.ok(&["audit", "--verify"]);
    ficus.ok(&["resume", "customers.list"]);
    ficus.ok(&["flip", "customers.detail", "rust"]);
}

#[test]
fn a_full_disk_under_the_routing_file_leaves_it_whole() {
    if !namespaces() {
        return a_limit_on_file_sizes_is_survived();
    }
    let mut ficus = prepared(ROUTES);
    std::fs::create_dir(ficus.path("routes")).unwrap();
    let config = std::fs::read_to_string(ficus.path("ficus.toml")).unwrap();
    std::fs::write(ficus.path("ficus.toml"), format!("routes = \"routes/routes.toml\"\n{config}")).unwrap();
    std::fs::write(ficus.routes(), moved()).unwrap();
    let command = mounted(&ficus, "mount -t tmpfs -o size=64k tmpfs routes && cp routes.toml routes/");
    ficus.run_as(command);
    let filler = fill(&ficus, "routes/filler");
    refused(&ficus, &["flip", "customers.detail", "rust"], "cannot write `");
    let text = || std::fs::read_to_string(inside(&ficus, "routes/routes.toml")).unwrap();
    assert_eq!(text(), moved());
    let output = ficus.cli(&["rollback", "customers.list"]);
    assert!(output.status.success() && texts(&output).1.contains("lies over it"), "{}", texts(&output).1);
    assert_eq!((text(), ficus.answered_by("/customers/")), (moved(), "legacy".to_owned()));
    let left = std::fs::read_dir(inside(&ficus, "routes")).unwrap().count();
    assert_eq!(left, 2, "something was left beside the file");
    std::fs::remove_file(filler).unwrap();
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(text(), ROUTES.replace("'legacy' ", "\"legacy\" "));
    assert!(ficus.status()["drift"].as_array().unwrap().is_empty());
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn a_limit_on_file_sizes_is_survived() {
    let mut ficus = prepared(&moved());
    ficus.run();
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    limit_files(&ficus, "64");
    refused(&ficus, &["flip", "customers.detail", "rust"], "cannot write `");
    assert_eq!(ficus.routes_text(), moved());
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!((ficus.routes_text(), ficus.answered_by("/customers/")), (moved(), "legacy".to_owned()));
    limit_files(&ficus, "unlimited");
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.routes_text(), ROUTES.replace("'legacy' ", "\"legacy\" "));
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn what_could_not_be_remembered_is_remembered_as_soon_as_possible() {
    for wait_for_state in [true, false] {
        let mut ficus = prepared(&moved());
        ficus.run();
        ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        let before = std::fs::read_to_string(ficus.path("state/routing.json")).unwrap();
        std::fs::set_permissions(ficus.routes(), PermissionsExt::from_mode(0o444)).unwrap();
        limit_files(&ficus, "64");
        ficus.ok(&["rollback", "customers.list"]);
        assert_eq!(std::fs::read_to_string(ficus.path("state/routing.json")).unwrap(), before);
        limit_files(&ficus, "unlimited");
        ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
        if wait_for_state {
            ficus.wait("it is remembered", |ficus| {
                std::fs::read_to_string(ficus.path("state/routing.json")).unwrap() != before
            });
        }
        ficus.kill();
        if !wait_for_state {
            // As if the process had ended before it could write its own state: the audit knows more.
            std::fs::write(ficus.path("state/routing.json"), before).unwrap();
        }
        ficus.run();
        assert_eq!((ficus.revision(), ficus.answered_by("/customers/")), (2, "legacy".to_owned()));
        assert_eq!(ficus.status()["holds"][0]["route"], "customers.list");
        assert_eq!(ficus.status()["notices"].as_array().unwrap().len(), usize::from(!wait_for_state));
    }
}

#[test]
fn a_state_directory_that_nobody_can_write_does_not_stop_a_rollback() {
    let mut ficus = prepared(&moved());
    ficus.run();
    ficus.wait("it is on record", |ficus| ficus.status()["store"]["pending"] == 0);
    ficus.kill();
    if !namespaces() {
        return;
    }
    let settings = std::fs::read_to_string(ficus.path("ficus.toml")).unwrap();
    std::fs::write(ficus.path("ficus.toml"), settings.replace("state/admin.sock", "admin.sock")).unwrap();
    let command = mounted(&ficus, "mount --bind state state && mount -o remount,ro,bind state");
    ficus.run_as(command);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    refused(&ficus, &["flip", "customers.detail", "rust"], "cannot be put on record");
    ficus.ok(&["rollback", "customers.list"]);
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.routes_text(), ROUTES.replace("'legacy' ", "\"legacy\" "));
}
