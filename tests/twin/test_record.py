"""A live journey is recorded from real Flask and replayed: against a newer Flask, and by `ficus twin`."""

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from stack.client import Client
from stack.process import Process, free_port, wait_until
from stack.stack import BINARIES, ROOT, SECRETS, crm_env, crm_python

from .test_twin import flask, run, twin  # noqa: F401  (a fixture)

TEMPLATES = ROOT / "legacy-crm" / "crm" / "templates"
CHANNEL = "the-channel-of-the-recordings-of-these-tests"
NAME = "Zebulon Quartermaine AG"
PEOPLE = ["ana@example.com", "Quartermaine", "zebulon.example", "+41 44 555 12 12"]


@pytest.fixture(scope="module")
def stack(stacks, pytestconfig):
    """Flask serves, and one route has a certificate with the newer Flask as its candidate."""
    next_port = free_port()
    env = {
        "LEGACY_SHIM_CHANNEL_SECRET": CHANNEL,
        "FICUS_FLASK_CHANNEL_SECRET": CHANNEL,
        "FICUS_SHADOW_SELF_TEST": "2s",
        "FICUS_SHADOW_PROFILES": "legacy-next=werkzeug-2.3",
        "FICUS_BACKENDS_LEGACY_NEXT": f"http://127.0.0.1:{next_port}",
    }
    stack = stacks(scope="record", flask=pytestconfig.getoption("--flask"), env=env)
    stack.next_port, stack.env = next_port, env
    return stack


@pytest.fixture(scope="module")
def newer(stack, databases, template, tmp_path_factory):
    """The same application on Flask 2.3, on another copy of the database."""
    folder = tmp_path_factory.mktemp("legacy-next")
    env = {**crm_env(databases.url(databases.create(template)), folder), **stack.env}
    command = [
        crm_python("2.3"), "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{stack.next_port}", "wsgi:app",
    ]
    process = Process("legacy-next", command, env, ROOT / "legacy-crm", folder / "legacy-next.log")
    wait_until(lambda: process.require_alive() or listens(stack.next_port), "the newer Flask answers")
    yield process
    process.stop()


def listens(port: int) -> bool:
    try:
        return Client(port).get("/auth/login").status == 200
    except OSError:
        return False


class Browser(Client):
    """Says what it is, with every request."""

    def request(self, method, target, body=b"", headers=()):
        own = [("Accept-Encoding", "gzip"), ("User-Agent", "Zebulon's browser"), ("Referer", f"http://{self.host}/?q=Zebulon")]
        return super().request(method, target, body, [*own, *headers])


def journey(port: int) -> int:
    """What somebody does with a browser; how many requests that are."""
    client = Browser(port)
    client.get("/auth/login")
    client.log_in("ana@example.com")
    assert client.get("/customers/").status == 200
    fields = {
        "csrf_token": client.csrf_token("/customers/new"), "name": NAME, "website": f"https://{PEOPLE[2]}", "phone": PEOPLE[3],
        "city": "Bern", "status": "active", "owner_id": "1",
    }
    answer = client.post_form("/customers/new", fields)
    assert answer.status == 302, answer.text
    page = client.get(answer.header("Location").replace("http://crm.test", ""))
    assert page.status == 200 and "Quartermaine" in page.text
    # What was typed in is on the page before it, so that a replay knows the word.
    assert "Quartermaine" in client.get("/customers/?q=Quartermaine").text
    return 8


def record(stack, *flags) -> Path:
    """Records the journey; where."""
    started = stack.cli_json("record", "start", "*", "--vocabulary", TEMPLATES, *flags)
    folder = Path(started["recording"]["folder"])
    done = journey(stack.port)
    wait_until(lambda: stack.cli_json("record", "status")["recording"]["requests"] == done, "all requests are written")
    stopped = stack.cli_json("record", "stop")["recording"]
    assert not stopped["on"] and stopped["dropped"] == {} and stopped["sessions"] == 1, stopped
    return folder


@pytest.fixture(scope="module")
def recording(stack) -> Path:
    return record(stack, "--reason", "these tests")


# A page says in which minute it was changed; that of the replay may be another one.
CHANGED = """shadow = { ignore = [{ path = "html **/aside/section/dl/dd[7] text", reason = "r", author = "a", expires = "2099-12-31" }] }
"""


def replay(stack, corpus: Path, *flags) -> tuple:
    entry, routes = 'name = "customers.detail"\n', stack.folder / "replayed.toml"
    text = stack.routes_file.read_text()
    assert text.count(entry) == 1
    routes.write_text(text.replace(entry, entry + CHANGED))
    command = [
        BINARIES / "ficus", "replay", corpus, "--users", Path(__file__).parent / "users.toml",
        "--config", stack.folder / "ficus.toml", "--routes", routes, "--json", *flags,
    ]
    env = {**os.environ, **SECRETS, **stack.env, "FICUS_LISTEN_ADMIN_SOCKET": str(stack.sockets / "admin.sock")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, check=False, cwd=stack.folder)
    assert done.returncode in (0, 3), done.stderr + done.stdout
    return json.loads(done.stdout), done.returncode


def test_nothing_of_anybody_is_on_disk(recording, stack):
    written = {path: path.read_text() for path in recording.iterdir()}
    # Which words are the application's own is the operator's to say.
    text = "".join(text for path, text in written.items() if path.name != "vocabulary.txt")
    for planted in [*PEOPLE, "demo", "Zebulon", *SECRETS.values(), CHANNEL, "session=e", "session=."]:
        assert planted not in text, planted
    for email, name in stack.query("SELECT email, name FROM users"):
        assert email not in text and name not in text, (email, name)
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(recording.stat().st_mode) == 0o700
    session = (recording / "00001.http").read_text()
    for kept in ["{{csrf}}", "{{password u", "{{login u", "{{cookie}}", "<h1>Customers</h1>", "status=active", "# @served legacy"]:
        assert kept in session, kept


def test_it_stands_in_the_history_and_the_audit(recording, stack):
    changes = [change for change in stack.cli_json("history")["changes"] if change["action"] == "record"]
    assert [change["reason"] for change in changes] == [None, "these tests"]
    began = {change["route"]: change for change in changes[1]["routes"]}["customers.create"]
    assert began["before"] == began["after"] and began["after"].startswith("recording until "), began
    text = stack.cli("history").stdout
    assert "recording until " in text and "recording ended" in text and "-> recording" not in text, text
    assert "legacy -> legacy" not in stack.cli("audit").stdout
    stack.cli("audit", "--verify")


def test_a_newer_flask_answers_it_with_its_own_login_tokens_and_ids(recording, stack, newer):
    found, code = replay(stack, recording, "--against", "legacy-next")
    assert code == 0, json.dumps([step for step in found["steps"] if step["differs"]], indent=1)
    assert len(found["steps"]) == 8


def test_twin_plays_the_same_corpus(recording, twin, databases, tmp_path):  # noqa: F811
    prepared = twin(recording, [flask("1.1", tmp_path)], [flask("2.3", tmp_path)], ("werkzeug-1.0", "werkzeug-2.3"))
    found = run(prepared, databases)
    assert [step for step in found["steps"] if step["differs"]] == [] and found["rows"] == [], json.dumps(found, indent=1)
    assert found["changes"] >= 2, found


def test_twin_sends_what_is_given_for_words(recording, twin, databases, tmp_path):  # noqa: F811
    mask = re.search(r"^GET /customers/\?q=(\w+)", (recording / "00001.http").read_text(), re.M).group(1)
    (tmp_path / "values.txt").write_text(f"{mask} = Spelterini\n")
    stacks = [flask(version, tmp_path) for version in ("1.1", "2.3")]
    for process in stacks:
        process["command"] += ["--access-logfile", "-", "--access-logformat", "?%(q)s"]
    prepared = twin(recording, stacks[:1], stacks[1:], ("werkzeug-1.0", "werkzeug-2.3"))
    file = tmp_path / "twin.toml"
    file.write_text(f'values = "values.txt"\n{file.read_text()}')
    found = run(prepared, databases)
    assert [step for step in found["steps"] if step["differs"]] == [] and found["rows"] == [], json.dumps(found, indent=1)
    logs = [path.read_text() for path in Path(prepared[0][-1]).rglob("*") if path.is_file()]
    assert sum("q=Spelterini" in text and f"q={mask}" not in text for text in logs) == 2, logs


def bring(port: int, content: bytes) -> int:
    """Somebody puts a file to a customer, gets it back, and looks at a page that the browser has kept; how many requests that is."""
    client = Browser(port)
    kept = client.get("/static/crm.css")
    client.log_in("ana@example.com")
    token = client.csrf_token("/customers/1/attachments/new")
    parts = [("csrf_token", "", token.encode()), ("deal_id", "", b""), ("file", '; filename="Quartermaine plan.png"\r\nContent-Type: image/png', content)]
    body = b"".join(b'--AaB03x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (n.encode(), h.encode(), v) for n, h, v in parts)
    media = ("Content-Type", "multipart/form-data; boundary=AaB03x")
    answer = client.request("POST", "/customers/1/attachments/new", body + b"--AaB03x--\r\n", [media])
    assert answer.status == 302, answer.text
    page = client.get("/customers/1")
    assert "Quartermaine plan.png" in page.text
    link = re.search(r'class="filename" href="([^"]+)"', page.text).group(1)
    assert client.get(link).body == content
    again = [("If-None-Match", kept.header("ETag")), ("If-Modified-Since", kept.header("Last-Modified"))]
    assert client.get("/static/crm.css", again).status == 304
    return 8


def test_uploads_and_pages_that_are_kept_are_recorded_and_replayed(recording, stack, newer):
    stack.cli("record", "start", "*", "--vocabulary", TEMPLATES)
    content = b"\x89PNG\r\n\x1a\n" + PEOPLE[3].encode() * 200
    done = bring(stack.port, content)
    wait_until(lambda: stack.cli_json("record", "status")["recording"]["requests"] == done, "all requests are written")
    stopped = stack.cli_json("record", "stop")["recording"]
    folder = Path(stopped["folder"])
    assert stopped["dropped"] == {}, stopped
    text = "".join(path.read_text() for path in folder.glob("*.http"))
    for kept in [f"{{{{file png {len(content)}}}}}", "> 304", "If-None-Match: {{etag}}", "{{csrf}}"]:
        assert kept in text, kept
    for planted in ["Quartermaine", PEOPLE[3], "AaB03x"]:
        assert planted not in text, planted
    # The other one never had it in its cache: it is fetched first, as the browser did before the recording.
    started = (folder / "00001.http").read_text().split("### ")
    first = next(index for index, entry in enumerate(started) if "/static/crm.css" in entry)
    (folder / "00001.http").write_text("### ".join(started[:first] + started[first + 1:]))
    found, code = replay(stack, folder, "--against", "legacy-next")
    assert code == 0, json.dumps([step for step in found["steps"] if step["differs"]], indent=1)
    assert len(found["steps"]) == done - 1


def candidate(stack, name: str):
    """The route's candidate is another one from now on, and its requests are copied."""
    text = stack.routes_file.read_text()
    entry = f'name = "{name}"\n'
    assert text.count(entry) == 1
    stack.routes_file.write_text(text.replace(entry, f'{entry}candidate = "legacy-next"\nshadow = {{ sample = 1.0 }}\n'))
    stack.cli("reload")


def certificate(stack, route: str) -> dict:
    return stack.cli_json("certificate", route)["certificate"]


def test_a_replay_counts_once_and_only_for_what_runs(recording, stack, newer):
    candidate(stack, "customers.list")

    def known():
        provenance = certificate(stack, "customers.list")["provenance"]
        return provenance["build"] and provenance["code"]

    wait_until(known, "both programs are known", 60)
    assert certificate(stack, "customers.list")["replayed"] == 0
    found, code = replay(stack, recording, "--against", "legacy-next", "--certify")
    assert found["certified"]["counted"] == [{"route": "customers.list", "comparisons": 2}], found["certified"]
    # A first certificate is written within seconds.
    wait_until(lambda: certificate(stack, "customers.list")["replayed"], "the certificate says so")
    after = certificate(stack, "customers.list")
    assert (after["replayed"], after["comparisons"]) == (2, 2), after
    again, _ = replay(stack, recording, "--against", "legacy-next", "--certify")
    assert again["certified"]["counted"] == []
    assert "it was counted before" in [one["why"] for one in again["certified"]["refused"]]
    # Another program gave the recorded answers, as far as anybody knows.
    manifest = recording / "recording.json"
    text = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**text, "started": "2026-01-01T00:00:00Z", "programs": {"legacy": "0" * 32}}))
    other, _ = replay(stack, recording, "--against", "legacy-next", "--certify")
    manifest.write_text(json.dumps(text))
    assert other["certified"]["counted"] == []
    assert any(one["why"].startswith("the code of the fallback was `") for one in other["certified"]["refused"]), other["certified"]
