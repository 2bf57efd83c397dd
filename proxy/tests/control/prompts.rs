//! Questions on a terminal: asked where more users would leave the fallback, never on the way to safety; without a terminal
//! the command that would do it is named.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use nix::pty::openpty;

use crate::ficus::{Ficus, ROUTES, command, texts};

/// A command at a terminal: what it prints there, and its exit code.
struct Terminal {
    child: Child,
    screen: File,
    said: String,
}

impl Terminal {
    fn start(ficus: &Ficus, arguments: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().unwrap());
        let child = command(ficus.directory.path())
            .args(arguments)
            .stdin(end(&pty.slave))
            .stdout(end(&pty.slave))
            .stderr(end(&pty.slave))
            .spawn()
            .unwrap();
        Self { child, screen: File::from(pty.master), said: String::new() }
    }

    /// Reads until the text is on the screen.
    fn expect(&mut self, text: &str) {
        let mut byte = [0; 1];
        while !self.said.contains(text) {
            // The other end is closed when the command is over: an error on Linux.
            match self.screen.read(&mut byte) {
                Ok(1) => self.said.push(char::from(byte[0])),
                _ => panic!("the command ended without {text:?}: {}", self.said),
            }
        }
    }

    fn type_in(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
    }

    /// Reads to the end.
    fn finish(mut self) -> (Option<i32>, String) {
        let mut buffer = [0; 256];
        while let Ok(count @ 1..) = self.screen.read(&mut buffer) {
            self.said.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
        (self.child.wait().unwrap().code(), self.said)
    }
}

#[test]
fn a_flip_towards_rust_is_shown_and_asked_about() {
    let ficus = Ficus::start(ROUTES);
    let mut terminal = Terminal::start(&ficus, &["flip", "customers.list", "rust"]);
    terminal.expect("customers.list: legacy -> rust\r\nApply? [y/N] ");
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
    terminal.type_in("n\n");
    let (code, said) = terminal.finish();
    assert_eq!(code, Some(1));
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!((ficus.revision(), ficus.answered_by("/customers/").as_str()), (1, "legacy"));

    let mut terminal = Terminal::start(&ficus, &["canary", "customers.list", "100%"]);
    terminal.expect("Apply? [y/N] ");
    terminal.type_in("y\n");
    let (code, said) = terminal.finish();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(ficus.answered_by("/customers/"), "rust");
}

#[test]
fn silence_and_an_empty_line_are_no_yes() {
    let ficus = Ficus::start(ROUTES);
    // An empty line, and the end of the input.
    for answer in ["\n", "\u{4}", "yes please\n"] {
        let mut terminal = Terminal::start(&ficus, &["flip", "customers.list", "off"]);
        terminal.expect("Apply? [y/N] ");
        terminal.type_in(answer);
        assert_eq!(terminal.finish().0, Some(1), "{answer:?}");
    }
    assert_eq!(ficus.revision(), 1);
}

#[test]
fn the_answer_counts_for_what_was_shown() {
    let ficus = Ficus::start(ROUTES);
    let mut terminal = Terminal::start(&ficus, &["flip", "customers.list", "rust"]);
    terminal.expect("Apply? [y/N] ");
    ficus.ok(&["flip", "customers.detail", "rust"]);
    terminal.type_in("y\n");
    let (code, said) = terminal.finish();
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(ficus.answered_by("/customers/"), "legacy");
}

#[test]
fn what_makes_things_safer_is_never_asked_about() {
    let ficus = Ficus::start(&ROUTES.replace("serve = 'legacy' ", "serve = 'rust' "));
    for arguments in [
        &["canary", "customers.list", "50%"][..],
        &["canary", "customers.list", "5%"],
        &["flip", "customers.list", "legacy"],
        &["hold", "customers.list"],
        &["resume", "customers.list"],
        &["rollback", "--all"],
    ] {
        let (code, said) = Terminal::start(&ficus, arguments).finish();
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains("Apply?"), "{said}");
        ficus.cli(&["resume", "customers.detail"]);
    }
}

#[test]
fn without_a_terminal_the_command_to_run_is_named() {
    let ficus = Ficus::start(ROUTES);
    let output = ficus.cli_without_yes(&["flip", "customers.list", "rust", "--reason", "it's time"]);
    assert_eq!(output.status.code(), Some(2));
    let said = texts(&output).1;
    assert!(said.contains(r"run `ficus flip customers.list rust --reason 'it'\''s time' --yes`"), "{said}");
    let (code, said) = Terminal::start(&ficus, &["flip", "customers.list", "rust", "--no-input"]).finish();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("run `ficus flip customers.list rust --yes`"), "{said}");
    assert_eq!(ficus.revision(), 1);
}

#[test]
fn an_interrupted_question_changes_nothing() {
    let ficus = Ficus::start(ROUTES);
    let mut terminal = Terminal::start(&ficus, &["flip", "customers.list", "rust"]);
    terminal.expect("Apply? [y/N] ");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(terminal.child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let (code, _) = terminal.finish();
    assert!(code.is_none() || code == Some(130), "{code:?}");
    assert_eq!(ficus.revision(), 1);
}
