//! Starts the real binary with a configuration of its own, and stops it.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::client::Client;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A directory of one test, removed at its end.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ficus-gateway-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What Ficus is started with.
pub(crate) struct Setup {
    pub(crate) directory: Directory,
    legacy: String,
    /// Further keys of the backends, each with a comma in front.
    legacy_keys: String,
    rust_keys: String,
    rust: String,
    routes: String,
    extra: Vec<(String, String)>,
    launcher: Vec<String>,
    program: PathBuf,
    streams: Option<(Stdio, Stdio)>,
}

impl Setup {
    /// Everything goes to `legacy`.
    pub(crate) fn new(legacy: &Backend) -> Self {
        let nowhere = "unix:/nonexistent/handlers.sock".to_owned();
        let (directory, legacy) = (Directory::new(), legacy.url());
        let program = PathBuf::from(env!("CARGO_BIN_EXE_ficus"));
        let (legacy_keys, rust_keys, routes) = (String::new(), String::new(), String::new());
        let (extra, launcher) = (Vec::new(), Vec::new());
        let (rust, streams) = (nowhere, None);
        Self { directory, legacy, legacy_keys, rust_keys, rust, routes, extra, launcher, program, streams }
    }

    /// The route `item`, `/items/<int:id>`, is served by `rust`.
    pub(crate) fn candidate(self, rust: &Backend) -> Self {
        let url = rust.url();
        self.candidate_at(&url)
    }

    /// As [`Self::candidate`], at an address where nobody needs to be.
    pub(crate) fn candidate_at(mut self, url: &str) -> Self {
        self.rust = url.to_owned();
        self.route("serve = \"rust\"\n")
    }

    /// The route `item` with these lines.
    pub(crate) fn route(mut self, lines: &str) -> Self {
        self.routes = format!(
            "[[route]]\nname = \"item\"\nrule = \"/items/<int:id>\"\n\
             methods = [\"GET\", \"POST\", \"PUT\", \"DELETE\"]\n{lines}"
        );
        self
    }

    /// These routes.
    pub(crate) fn routes(mut self, text: &str) -> Self {
        text.clone_into(&mut self.routes);
        self
    }

    pub(crate) fn rust_at(mut self, url: &str) -> Self {
        url.clone_into(&mut self.rust);
        self
    }

    /// The upstreams of `legacy`, if not the one backend it was made with.
    pub(crate) fn legacy_at(mut self, urls: &[String]) -> Self {
        self.legacy = urls.join("\", \"");
        self
    }

    /// A further key of `legacy`, such as `queue = 0`.
    pub(crate) fn legacy_key(mut self, line: &str) -> Self {
        self.legacy_keys.push_str(&format!(", {line}"));
        self
    }

    /// A further key of `rust`.
    pub(crate) fn rust_key(mut self, line: &str) -> Self {
        self.rust_keys.push_str(&format!(", {line}"));
        self
    }

    /// How many files it may have open.
    pub(crate) fn open_files(mut self, most: u32) -> Self {
        let launch = format!("ulimit -n {most}; exec \"$0\" \"$@\"");
        self.launcher = ["sh", "-c", &launch].map(str::to_owned).to_vec();
        self
    }

    /// A key of ficus.toml, such as `timeouts.upstream`.
    pub(crate) fn set(self, key: &str, value: &str) -> Self {
        self.env(&format!("FICUS_{}", key.replace('.', "_").to_uppercase()), value)
    }

    /// A variable of the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Started by this command, which gets the program and its arguments.
    pub(crate) fn launched_by(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().map(|part| (*part).to_owned()).collect();
        self
    }

    /// Another file than the one that was built.
    pub(crate) fn program(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.program);
        self
    }

    /// With these as standard input and output.
    pub(crate) fn streams(mut self, input: Stdio, output: Stdio) -> Self {
        self.streams = Some((input, output));
        self
    }

    pub(crate) fn start(self) -> Ficus {
        let path = self.directory.path();
        std::fs::write(path.join("routes.toml"), format!("version = 1\n\n{}", self.routes)).unwrap();
        let backends = format!(
            "[backends]\nlegacy = {{ upstreams = [\"{}\"]{} }}\nrust = {{ upstreams = [\"{}\"]{} }}\n",
            self.legacy, self.legacy_keys, self.rust, self.rust_keys
        );
        std::fs::write(path.join("ficus.toml"), backends).unwrap();
        let mut words = self.launcher.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().unwrap());
        let (input, output) = self.streams.unwrap_or_else(|| (Stdio::null(), Stdio::null()));
        command
            .args(words)
            .args(["serve", "--config"])
            .arg(path.join("ficus.toml"))
            .current_dir(path)
            .env("FICUS_LISTEN_HTTP", "127.0.0.1:0")
            .env("FICUS_LISTEN_ADMIN", "127.0.0.1:0")
            .env("FICUS_LOG_ACCESS", path.join("access.log"))
            .stdin(input)
            .stdout(output)
            .stderr(Stdio::piped());
        command.envs(self.extra.iter().map(|(name, value)| (name, value)));
        Ficus::watch(command.spawn().unwrap(), self.directory)
    }
}

/// A running Ficus.
pub(crate) struct Ficus {
    child: Child,
    directory: Directory,
    said: Arc<Mutex<String>>,
}

impl Ficus {
    fn watch(mut child: Child, directory: Directory) -> Self {
        let stderr = child.stderr.take().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stderr);
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                heard.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        let ficus = Self { child, directory, said };
        // The last line of the start-up report.
        ficus.wait_for("  routes ");
        ficus
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn wait_for(&self, text: &str) {
        eventually(&format!("`{text}` on stderr, which was:\n{}", self.said()), || {
            self.said().contains(text)
        });
    }

    fn address(&self, what: &str) -> SocketAddr {
        let said = self.said();
        let line = said.lines().find(|line| line.trim_start().starts_with(what)).unwrap();
        line.rsplit('/').next().unwrap().parse().unwrap()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.address("http ")
    }

    pub(crate) fn https(&self) -> SocketAddr {
        self.address("https ")
    }

    pub(crate) fn admin(&self) -> SocketAddr {
        self.address("admin ")
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.http())
    }

    /// The metrics, as a scrape sees them.
    pub(crate) fn metrics(&self) -> String {
        let mut client = Client::connect(self.admin());
        client.send("GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        client.answer().text()
    }

    /// The access log, once it has this many lines.
    pub(crate) fn log(&self, lines: usize) -> Vec<serde_json::Value> {
        let path = self.directory.path().join("access.log");
        let read = || std::fs::read_to_string(&path).unwrap_or_default();
        eventually(&format!("{lines} lines in the access log"), || read().lines().count() >= lines);
        read().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What `ficus status --json` says about a backend.
    pub(crate) fn backend(&self, name: &str) -> serde_json::Value {
        let status: serde_json::Value = serde_json::from_str(&self.ask_status(&["--json"])).unwrap();
        let found = status["backends"].as_array().unwrap().iter().find(|b| b["name"] == name);
        found.unwrap().clone()
    }

    /// What `ficus status` says.
    pub(crate) fn status(&self) -> String {
        self.ask_status(&[])
    }

    fn ask_status(&self, flags: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_ficus"))
            .args(["status", "--config"])
            .arg(self.file("ficus.toml"))
            .args(flags)
            .current_dir(self.directory.path())
            .env("FICUS_LISTEN_ADMIN_SOCKET", self.file("state/admin.sock"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The value of a metric with these labels, as in the text; 0 if it is not there.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let text = self.metrics();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The memory it has in use, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1_024
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("ficus does not end; it said:\n{}", self.said());
    }
}

impl Ficus {
    /// The process that was started.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The processes that took over from it, in order.
    pub(crate) fn successors(&self) -> Vec<u32> {
        let said = self.said();
        let words = said.lines().filter_map(|line| line.strip_prefix("ficus: process ")?.split(' ').next());
        words.filter_map(|word| word.parse().ok()).collect()
    }
}

impl Drop for Ficus {
    fn drop(&mut self) {
        for successor in self.successors() {
            let _ = Command::new("kill").args(["-9", &successor.to_string()]).stderr(Stdio::null()).status();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the binary with these variables and expects that it gives up; returns what it said.
pub(crate) fn refused(variables: &[(&str, &str)]) -> String {
    let directory = Directory::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_ficus"));
    command.arg("serve").current_dir(directory.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    for (name, value) in variables {
        command.env(name, value);
    }
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(!child.wait().unwrap().success(), "{said}");
    said
}

/// Waits until something is true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
