"""The same machinery judges a Flask upgrade: the CRM on Flask 1.1.2 serves, the CRM on Flask 2.3 gets the copies."""

import html
import json
import re
import subprocess
from urllib.parse import urljoin, urlsplit

from stack.client import Client
from stack.process import Process, free_port, wait_until
from stack.stack import BINARIES, ROOT, SECRETS, crm_env, crm_python

PAGES = 70
LINK = re.compile(r'(?:href|src)="([^"#]+)"')


def crawl(client: Client, first: list) -> list:
    """The targets that a person reaches by clicking, logging out excepted."""
    waiting, seen = list(first), []
    while waiting and len(seen) < PAGES:
        target = waiting.pop(0)
        if target in seen:
            continue
        answer = client.get(target)
        seen.append(target)
        for link in LINK.findall(answer.text if "html" in (answer.header("Content-Type") or "") else ""):
            joined = urlsplit(urljoin(f"http://crm.test{target}", html.unescape(link)))
            if joined.netloc == "crm.test" and "logout" not in joined.path:
                waiting.append(joined.path + (f"?{joined.query}" if joined.query else ""))
    return seen


def test_an_upgrade_of_flask_differs_by_design_only(stacks, tmp_path):
    stack = stacks(scope="upgrade")
    next_port, port, admin = free_port(), free_port(), free_port()
    command = [
        crm_python("2.3"), "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{next_port}", "wsgi:app",
    ]
    env = crm_env(stack.databases.url(stack.database), stack.folder)
    newer = Process("legacy-next", command, env, ROOT / "legacy-crm", tmp_path / "legacy-next.log")
    routes = tmp_path / "routes.toml"
    text = stack.routes_file.read_text().replace('candidate = "rust"', 'candidate = "legacy-next"')
    routes.write_text(re.sub(r"^\[\[route\]\]\n", "[[route]]\nshadow = { sample = 1.0 }\n", text, flags=re.M))
    socket = stack.sockets / "upgrade.sock"
    env = {
        **SECRETS,
        "FICUS_LISTEN_HTTP": f"127.0.0.1:{port}",
        "FICUS_LISTEN_ADMIN": f"127.0.0.1:{admin}",
        "FICUS_LISTEN_ADMIN_SOCKET": socket,
        "FICUS_STORE_URL": f"sqlite:{tmp_path / 'ficus.db'}",
        "FICUS_LOG_ACCESS": "off",
        "FICUS_BACKENDS_LEGACY_NEXT": f"http://127.0.0.1:{next_port}",
        "FICUS_SHADOW_PROFILES": "legacy-next=werkzeug-2.3",
    }
    command = [BINARIES / "ficus", "serve", "--config", stack.folder / "ficus.toml", "--routes", routes]
    ficus = Process("upgrade-ficus", command, env, tmp_path, tmp_path / "ficus.log")

    def diffs(*arguments) -> dict:
        done = subprocess.run(
            [BINARIES / "ficus", "--socket", socket, "diffs", *arguments, "--json"],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def settled() -> bool:
        return "\nficus_shadow_queue 0\n" in Client(admin).get("/metrics").text

    try:
        wait_until(lambda: newer.alive() and listens(next_port), "the newer Flask answers")
        wait_until(lambda: diffs(), "ficus answers")
        client = Client(port)
        client.log_in("ana@example.com")
        client.csrf_token("/customers/new")
        wait_until(settled, "the copies of the login are compared")
        pages = crawl(client, ["/", "/customers/9999", "/customers/?page=99", "/static/css/crm.css"])
        wait_until(settled, "all copies are compared")
        found = diffs("export")
    finally:
        ficus.stop()
        newer.stop()
    groups = [(group["route"], group["signature"], group["samples"][0]["differences"][:2]) for group in found["groups"]]
    assert not groups, json.dumps(groups, indent=1)
    results, rules = {}, {}
    for numbers in found["routes"].values():
        for kind, sums in (("compared", results), ("ignored", rules)):
            for name, count in numbers[kind].items():
                sums[name] = sums.get(name, 0) + count
    print(f"\n{len(pages)} pages on {len(found['routes'])} routes: {results}; by design: {rules}")
    assert len(pages) >= 40 and len(found["routes"]) >= 10
    assert set(results) <= {"match", "ignored", "empty"}, results
    assert all(rule.startswith("built-in ") for rule in rules), rules


def listens(port: int) -> bool:
    try:
        return Client(port).get("/auth/login").status == 200
    except OSError:
        return False
