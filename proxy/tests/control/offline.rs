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
}
