//! What systemd hears and gives: readiness, status, the watchdog, sockets.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::backend::Backend;
use crate::client::Client;
use crate::ficus::{Directory, Setup, eventually};

/// Hears what is said to systemd.
struct Systemd {
    directory: Directory,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Systemd {
    fn new() -> Self {
        let directory = Directory::new();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hear = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = socket.recv(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
                hear.lock().unwrap().extend(text.lines().map(str::to_owned));
            }
        });
        Self { directory, heard }
    }

    fn start(&self, setup: Setup) -> Setup {
        setup.env("NOTIFY_SOCKET", &self.directory.path().join("notify").display().to_string())
    }

    fn times(&self, line: &str) -> usize {
        self.heard.lock().unwrap().iter().filter(|heard| *heard == line).count()
    }

    #[track_caller]
    fn hears(&self, line: &str) {
        eventually(&format!("`{line}` in {:?}", self.heard.lock().unwrap()), || self.times(line) > 0);
    }
}

#[test]
fn systemd_hears_of_every_change() {
    let legacy = Backend::saying("legacy");
    let systemd = Systemd::new();
    let mut ficus = systemd.start(Setup::new(&legacy)).start();
    systemd.hears("READY=1");
    systemd.hears("STATUS=answering requests, revision 1");
    ficus.signal("HUP");
    systemd.hears("RELOADING=1");
    eventually("ready again", || systemd.times("READY=1") == 2);
    ficus.signal("TERM");
    systemd.hears("STOPPING=1");
    assert!(ficus.ended().success());
}

#[test]
fn the_watchdog_is_fed_by_every_process_in_turn() {
    let legacy = Backend::saying("legacy");
    let systemd = Systemd::new();
    let mut ficus = systemd.start(Setup::new(&legacy)).env("WATCHDOG_USEC", "300000").start();
    eventually("a few signs of life", || systemd.times("WATCHDOG=1") >= 3);
    let successor = ficus.json(&["upgrade"])["process"].as_u64().unwrap();
    systemd.hears(&format!("MAINPID={successor}"));
    let heard = || systemd.heard.lock().unwrap().clone();
    let main = heard().iter().position(|line| line.starts_with("MAINPID=")).unwrap();
    eventually("the new process is ready", || heard()[main..].iter().any(|line| line == "READY=1"));
    assert!(ficus.ended().success());
    let before = systemd.times("WATCHDOG=1");
    eventually("signs of life of the new process", || systemd.times("WATCHDOG=1") >= before + 3);
    assert_eq!(systemd.times("STOPPING=1"), 0, "the service goes on");
}

#[test]
fn a_socket_of_systemds_is_used() {
    let legacy = Backend::saying("legacy");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // The shell gives it the number that systemd would give it.
    let launcher = ["sh", "-c", "LISTEN_PID=$$ exec \"$@\" 3<&0 </dev/null", "sh"];
    let mut ficus = Setup::new(&legacy)
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "http")
        .launched_by(&launcher)
        .streams(Stdio::from(OwnedFd::from(listener)), Stdio::null())
        .start();
    assert_eq!(ficus.http(), address);
    assert_eq!(Client::connect(address).get("/").text(), "legacy");
    ficus.wait_for("inherited http: taken over, not opened");
    // And it goes over to the next process like any other.
    ficus.json(&["upgrade"]);
    assert!(ficus.ended().success());
    assert_eq!(Client::connect(address).get("/").text(), "legacy");
}
