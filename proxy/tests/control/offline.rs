//! `rollback --offline`: the proxy is wedged or dead, the files are not.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ficus::{Ficus, ROUTES, texts};

fn moved() -> String {
    ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ")
}

#[test]
fn a_dead_proxy_comes_back_rolled_back() {
    let mut ficus = Ficus::start(&moved());
    ficus.kill();
    let output = ficus.cli(&["rollback", "customers.list"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(texts(&output).1.contains("--offline"), "{}", texts(&output).1);
    let said = ficus.ok(&["rollback", "customers.list", "--offline", "--reason", "down"]);
    assert!(said.starts_with("customers.list: rust -> legacy (revision 2)\n"), "{said}");
    ficus.run();
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    assert_eq!(ficus.revision(), 2);
    assert_eq!(ficus.json(&["history", "customers.list"])["changes"][0]["reason"], "down");
    assert_eq!(ficus.cli(&["flip", "customers.list", "rust"]).status.code(), Some(3), "it is not held");
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn a_proxy_that_hangs_takes_over_what_could_not_be_written() {
    let ficus = Ficus::start(&moved());
    std::fs::set_permissions(ficus.routes(), std::os::unix::fs::PermissionsExt::from_mode(0o444)).unwrap();
    let pid = Pid::from_raw(ficus.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    ficus.ok(&["rollback", "customers.list", "--offline"]);
    kill(pid, Signal::SIGCONT).unwrap();
    ficus.wait("the rollback is seen", |ficus| ficus.answered_by("/customers/") == "legacy");
    let status = ficus.status();
    assert_eq!(
        (status["revision"].as_u64(), status["drift"][0]["route"].as_str()),
        (Some(2), Some("customers.list"))
    );
    ficus.ok(&["audit", "--verify"]);
}

#[test]
fn a_proxy_that_hangs_takes_it_over_when_it_wakes() {
    let ficus = Ficus::start(&moved());
    let pid = Pid::from_raw(ficus.pid());
    kill(pid, Signal::SIGSTOP).unwrap();
    ficus.ok(&["rollback", "--all", "--offline"]);
    kill(pid, Signal::SIGCONT).unwrap();
    ficus.wait("the rollback is seen", |ficus| ficus.answered_by("/customers/") == "legacy");
    let status = ficus.status();
    assert_eq!(status["revision"], 2);
    assert_eq!(status["last"]["action"], "rollback");
    assert_eq!(status["holds"].as_array().unwrap().len(), 2);
}
