//! The binary, started in a directory of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::origin;

/// A routing file with comments in every place where people put them.
pub(crate) const ROUTES: &str = r#"# The CRM. Ask Ana before touching this.
version = 1

[defaults]
serve = "legacy"   # everything, until it moves

# -- customers --------------------------------
[[route]]
name = 'customers.list'      # the list
rule = "/customers/"
serve = 'legacy'             # CRM-812: flip me

[[route]]   # the page
name = "customers.detail"
rule = "/customers/<int:customer_id>"
canary = { users = ["7"], percent = 0.0, group = "customers" } # Ana tries it
# nothing else yet

# the end
"#;

/// A running ficus with two backends, `legacy` and `rust`, that say their names.
pub(crate) struct Ficus {
    pub(crate) directory: TempDir,
    pub(crate) port: u16,
    pub(crate) admin_port: u16,
    child: Option<Child>,
}

impl Ficus {
    /// With this routing file.
    pub(crate) fn start(routes: &str) -> Self {
        let ficus = Self::prepare();
        std::fs::write(ficus.routes(), routes).unwrap();
        ficus.started()
    }

    /// Adds lines to the settings; before it runs.
    pub(crate) fn configure(&self, lines: &str) {
        let path = self.path("ficus.toml");
        let settings = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, settings + lines).unwrap();
    }

    /// Settings only: the routing file is the test's business, and nothing runs.
    pub(crate) fn prepare() -> Self {
        let directory = tempfile::Builder::new().prefix("ficus").tempdir().unwrap();
        let (legacy, rust) = (origin::start("legacy"), origin::start("rust"));
        let settings = format!(
            r#"[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
reveal = true
admin_socket = "state/admin.sock"
[backends]
legacy = {{ upstreams = ["http://{legacy}"] }}
rust = {{ upstreams = ["http://{rust}"] }}
[store]
url = "sqlite:state/ficus.db"
[log]
access = "off"
"#
        );
        std::fs::write(directory.path().join("ficus.toml"), settings).unwrap();
        Self { directory, port: 0, admin_port: 0, child: None }
    }

    /// Starts the process and waits until it answers.
    pub(crate) fn started(mut self) -> Self {
        self.run();
        self
    }

    /// Starts the process and waits until it answers.
    pub(crate) fn run(&mut self) {
        self.run_as(command(self.directory.path()));
    }

    /// The same, by a command of the test's own that ends in the binary.
    pub(crate) fn run_as(&mut self, mut command: Command) {
        let log = std::fs::File::options().create(true).append(true).open(self.path("ficus.log")).unwrap();
        let before = self.log().len();
        let child = command.arg("serve").stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        self.wait("it reports its addresses", |ficus| {
            ficus.require_alive();
            ficus.log()[before..].lines().any(|line| line.starts_with("  routes"))
        });
        self.port = self.reported("http", before);
        self.admin_port = self.reported("admin", before);
        self.wait("it serves", |ficus| {
            ficus.require_alive();
            ficus.cli(&["status"]).status.success() && TcpStream::connect(("127.0.0.1", ficus.port)).is_ok()
        });
    }

    /// The port of a listener, from the start-up report behind this place of the log.
    fn reported(&self, listener: &str, from: usize) -> u16 {
        let log = self.log();
        let line = log[from..].lines().find(|line| line.trim_start().starts_with(listener)).unwrap();
        line.rsplit(':').next().unwrap().trim().parse().unwrap()
    }

    fn require_alive(&self) {
        let pid = self.child.as_ref().map(Child::id).unwrap();
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let dead = state.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z'));
        assert!(!dead, "ficus ended: {}", self.log());
    }

    /// The process id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// Asks the process to end, and waits until it has.
    pub(crate) fn terminate(&mut self) {
        if let Some(mut child) = self.child.take() {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
            child.wait().unwrap();
        }
    }

    /// Ends the process without warning.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn wait_for_death(&mut self) {
        let mut child = self.child.take().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "it lives on\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn routes(&self) -> PathBuf {
        self.path("routes.toml")
    }

    pub(crate) fn routes_text(&self) -> String {
        std::fs::read_to_string(self.routes()).unwrap()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path("ficus.log")).unwrap_or_default()
    }

    /// Replaces the routing file as an editor does: a new file, renamed over the old one.
    pub(crate) fn edit(&self, text: &str) {
        let next = self.path("routes.toml~");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, self.routes()).unwrap();
    }

    /// Runs a command against this ficus, with a yes to whatever it asks.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Output {
        command(self.directory.path()).env("FICUS_YES", "1").args(arguments).output().unwrap()
    }

    /// Runs a command against this ficus as a script would that says nothing beforehand.
    pub(crate) fn cli_without_yes(&self, arguments: &[&str]) -> Output {
        command(self.directory.path()).args(arguments).output().unwrap()
    }

    /// Runs a command that has to work, for its text.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let (out, err) = texts(&output);
        assert!(
            output.status.success(),
            "ficus {arguments:?}: {}\n{out}{err}\n{}",
            output.status,
            self.log()
        );
        out
    }

    /// Runs a command that has to work, for its document.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&arguments)).unwrap()
    }

    pub(crate) fn status(&self) -> Value {
        self.json(&["status"])
    }

    pub(crate) fn revision(&self) -> u64 {
        self.status()["revision"].as_u64().unwrap()
    }

    /// Which backend answers a path.
    pub(crate) fn answered_by(&self, path: &str) -> String {
        self.http(self.port, path).1
    }

    /// Status and body.
    pub(crate) fn http(&self, port: u16, path: &str) -> (u16, String) {
        let text = exchange(port, &format!("GET {path} HTTP/1.1\r\n"), "");
        let status = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }

    /// Asks again and again until it is true.
    pub(crate) fn wait(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited too long until {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Ficus {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The whole answer to a request; `line` is its first line, `headers` what it says beside the host.
pub(crate) fn exchange(port: u16, line: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "{line}host: localhost\r\nconnection: close\r\n{headers}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// The binary in a directory, without anything from the environment that could change what it does.
pub(crate) fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficus"));
    command.current_dir(directory).stdin(Stdio::null()).env_remove("FLASK_SECRET_KEY").env("TZ", "UTC");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FICUS_")) {
        command.env_remove(name);
    }
    command
}

/// What a command printed.
pub(crate) fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}
