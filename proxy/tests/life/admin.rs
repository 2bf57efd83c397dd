//! The command line against a running ficus.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::ficus::Ficus;

impl Ficus {
    /// Runs a command against this ficus.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_ficus"))
            .arg("--socket")
            .arg(self.file("state/admin.sock"))
            .args(arguments)
            // Nobody is here to say yes to a flip.
            .env("FICUS_YES", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a command that has to work, for its document.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.cli(&[arguments, &["--json"]].concat());
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "ficus {arguments:?}: {err}\n{}", self.said());
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that has to fail, for what it says.
    #[track_caller]
    pub(crate) fn fails(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        assert!(!output.status.success(), "ficus {arguments:?} worked");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Status and text of a path of the admin address.
    pub(crate) fn ask(&self, path: &str, headers: &str) -> (u16, String) {
        let mut client = crate::client::Client::connect(self.admin());
        client.send(format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n{headers}\r\n"));
        let answer = client.answer();
        (answer.status, answer.text())
    }
}
