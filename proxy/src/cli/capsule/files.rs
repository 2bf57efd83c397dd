//! The texts of a capsule.

use super::Facts;

/// The Rust test: standard library only.
pub(super) const RUST: &str = r#"//! The handler answers as Flask did. `ficus capsule check` asks it and compares; see README.md.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// The service, if this test starts it.
struct Service(Option<Child>);

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn takes_connections(address: &str) -> bool {
    match address.strip_prefix("unix:") {
        Some(path) => UnixStream::connect(path).is_ok(),
        None => TcpStream::connect(address.trim_start_matches("http://").trim_end_matches('/')).is_ok(),
    }
}

#[test]
fn the_handler_answers_as_flask_did() {
    let against = std::env::var("CAPSULE_AGAINST")
        .expect("CAPSULE_AGAINST says where the handler answers: `http://HOST:PORT` or `unix:/PATH`");
    let command = std::env::var("CAPSULE_COMMAND").ok();
    let mut service = Service(command.map(|command| {
        Command::new("sh").args(["-c", &format!("exec {command}")]).spawn().expect("CAPSULE_COMMAND starts")
    }));
    if let Some(child) = &mut service.0 {
        let begun = Instant::now();
        while !takes_connections(&against) {
            assert!(child.try_wait().expect("a status").is_none(), "the service ended at once");
            assert!(begun.elapsed() < Duration::from_secs(60), "{against} takes no connections");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let ficus = std::env::var("FICUS").unwrap_or_else(|_| "ficus".to_owned());
    let output = Command::new(ficus)
        .args(["capsule", "check", env!("CARGO_MANIFEST_DIR"), "--against", &against])
        .output()
        .expect("FICUS names the program `ficus`");
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success(), "{said}");
}
"#;

/// The pytest.
pub(super) const PYTHON: &str = r#""""Flask answers as it did. `ficus capsule` makes the request and compares; see README.md."""

import importlib
import json
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
FICUS = os.environ.get("FICUS", "ficus")


def application():
    """CAPSULE_APP names it: `package.module:name`, where the name may be that of a function that makes it."""
    module, _, name = os.environ["CAPSULE_APP"].partition(":")
    found = getattr(importlib.import_module(module), name or "app")
    return found if hasattr(found, "test_client") else found()


def ficus(*arguments):
    return subprocess.run([FICUS, "capsule", *arguments], capture_output=True, text=True, check=False)


def test_flask_answers_as_it_did(tmp_path):
    made = ficus("request", str(HERE))
    assert made.returncode == 0, made.stderr
    request = json.loads(made.stdout)
    headers = {name.lower(): value for name, value in request["headers"]}
    media = headers.pop("content-type", None)
    host = headers.pop("host")
    # The session comes with the request, not from a jar.
    client = application().test_client(use_cookies=False)
    place = {"path": request["target"], "base_url": f"http://{host}/"}
    if request["conditions"]:
        # Asked only if it is another page than the one that the browser has kept.
        kept = client.get(**place, headers=list(headers.items())).headers
        for name, value in request["conditions"]:
            value = value.replace("{{etag}}", kept.get("ETag", "")).replace("{{modified}}", kept.get("Last-Modified", ""))
            headers.update({name.lower(): value} if value else {})
    answer = client.open(
        **place, method=request["method"], headers=list(headers.items()), data=bytes.fromhex(request["body"]), content_type=media,
    )
    file = tmp_path / "answer.json"
    file.write_text(json.dumps({"status": answer.status_code, "headers": list(answer.headers), "body": answer.data.hex()}))
    arguments = ["check", str(HERE), "--answer", str(file)]
    if "CAPSULE_ANSWERS_AS" in os.environ:
        arguments += ["--answers-as", os.environ["CAPSULE_ANSWERS_AS"]]
    done = ficus(*arguments)
    assert done.returncode == 0, done.stdout + done.stderr
"#;

/// Of a crate that depends on nothing.
pub(super) fn cargo(diff: i64) -> String {
    format!(
        "[package]\nname = \"capsule-{diff}\"\nversion = \"0.0.0\"\nedition = \"2021\"\npublish = false\n\n\
         # Not a part of the workspace that it may lie in.\n[workspace]\n"
    )
}

/// How it is run.
pub(super) fn readme(facts: &Facts) -> String {
    let Facts { diff, route, signature, reference, candidate, .. } = facts;
    format!(
        "# {route}: {signature}\n\n\
         Difference {diff}, found at revision {revision}: `{candidate}` answered otherwise than `{reference}`. Everything here is \
         masked: passwords, cookies and tokens are references, words and numbers of people are masks.\n\n\
         | file | what it is |\n|---|---|\n\
         | `{exchange}` | the request, and what `{reference}` answered |\n\
         | `candidate.txt` | the same request, and what `{candidate}` answered |\n\
         | `{routes}` | the route and the rules for what may differ |\n\
         | `tests/capsule.rs` | fails while the handler answers otherwise |\n\
         | `test_capsule.py` | fails if Flask itself does not answer so any more |\n\n\
         Both tests need the program `ficus` (in the path, or named by `FICUS`), the same Flask secret key \
         (`FICUS_FLASK_SECRET_KEY`; masks are made with it, and the session), and a database with the content that the answers were \
         made of.\n\n\
         ```\n\
         # the handler, where it answers already\n\
         CAPSULE_AGAINST=unix:/run/ficus/handlers.sock cargo test\n\n\
         # or started by the test\n\
         CAPSULE_AGAINST=http://127.0.0.1:5002 CAPSULE_COMMAND='my-handlers --port 5002' cargo test\n\n\
         # Flask, through its test client\n\
         CAPSULE_APP=wsgi:app python -m pytest test_capsule.py\n\
         ```\n\n\
         On another Flask than the one that answered: `CAPSULE_ANSWERS_AS=werkzeug-2.3`. By hand: `ficus capsule check . --against \
         URL` shows what differs, and `ficus capsule request .` what is sent.\n\n\
         A word that a user typed in is a mask in the request, and finds nothing there.\n",
        revision = facts.revision,
        reference = reference.0,
        candidate = candidate.0,
        exchange = super::EXCHANGE,
        routes = super::ROUTES,
    )
}
