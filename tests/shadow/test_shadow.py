"""Shadow traffic over the CRM: right handlers match, wrong ones are found where they are wrong."""

import json
import re
import shutil
import subprocess

import pytest

from parity.test_parity import CASES
from shadow.wrong_side import WrongSide
from stack.api_token import grant
from stack.client import Client
from stack.process import Process, free_port, wait_until
from stack.stack import BINARIES, MOVED, SECRETS

def everything(case) -> str:
    return case.request_line + str(case.headers)


READS = [
    case for case in CASES
    if case.request_line.split(" ")[0] in ("GET", "HEAD") and "{{" not in everything(case).replace("{{api_token}}", "")
]


def tally(stack) -> dict:
    return stack.cli_json("diffs")["routes"]


def total(routes: dict, kind: str) -> int:
    return sum(sum(numbers[kind].values()) for numbers in routes.values())


def test_right_handlers_match(stacks):
    """Every read of the parity cases, copied to the handlers while Flask serves it."""
    stack = stacks(scope="shadow")
    for name in MOVED:
        stack.cli("shadow", name, "--reason", "test")
    people = {"": Client(stack.port)}
    tokens = {email: grant([stack], email) for email in ("ana@example.com", "rita@example.com")}
    for case in READS:
        if case.user not in people:
            people[case.user] = Client(stack.port)
            people[case.user].log_in(case.user)
            # Takes the login's own flash away and leaves a CSRF secret in the session.
            people[case.user].csrf_token("/customers/new")
    # Logins visit a page of a moved route as well: what they caused must be over before counting begins.
    wait_until(lambda: settled(stack), "the copies of the logins are compared")
    before = tally(stack)
    asked = 0
    for case in READS:
        method, target = case.request_line.split(" ", 1)
        by_token = "{{api_token}}" in everything(case)
        cookies = {} if by_token else dict(people[case.user].cookies)
        token = tokens.get(case.user, "")
        headers = [(name, value.replace("{{api_token}}", token)) for name, value in case.headers]
        answer = Client(stack.port, cookies=cookies).request(method, target, headers=headers)
        assert answer.status == case.expect, f"{case.id}: {answer.status}"
        asked += answer.header("x-ficus-route") in MOVED
    wait_until(
        lambda: total(tally(stack), "compared") + total(tally(stack), "dropped")
        >= total(before, "compared") + total(before, "dropped") + asked,
        f"{asked} copies are compared",
    )
    routes = tally(stack)
    groups = stack.cli_json("diffs", "export")["groups"]
    assert not groups, json.dumps(groups, indent=1)
    assert total(routes, "dropped") == 0, routes
    results = {}
    for numbers in routes.values():
        for result, count in numbers["compared"].items():
            results[result] = results.get(result, 0) + count
    print(f"\n{asked} reads on {len(routes)} routes: {results}")
    assert set(routes) == set(MOVED)
    assert set(results) <= {"match", "empty", "ignored", "deferred"}, results
    assert results["match"] >= 0.7 * asked, results


def settled(stack) -> bool:
    text = Client(stack.admin_port).get("/metrics").text
    return "\nficus_shadow_queue 0\n" in text


FAULTS = [
    ("/customers/", lambda a: a.drop("vary"), "header vary missing"),
    ("/customers/", lambda a: a.replace("<h1>Customers</h1>", "<h1>Clients</h1>"), "html div.page-head/h1 text"),
    ("/customers/", lambda a: setattr(a, "status", 500), "status 200/500"),
    ("/customers/", lambda a: a.replace('role="search"', ""), "html form.filters @role missing"),
    ("/customers/", lambda a: a.replace('href="/customers/new"', 'href="/customer/new"'), r"html a.button.primary @href"),
    ("/customers/", lambda a: a.replace("</td>", "!</td>"), r"html div.table-scroll/table/tr/td\[1\].* text.*"),
    ("/customers/", lambda a: a.replace("<tbody>", "<tbody><tr><td>x</td></tr>"), r"html div.table-scroll/table/tr extra"),
    ("/customers/new", lambda a: spoil_token(a), "csrf"),
    ("/customers/new", lambda a: a.replace('name="city"', 'name="town"'), r"html .*@name"),
    ("/api/v1/customers", lambda a: a.replace('"name":', '"title":'), r"json \$\.\w+\[\]\.name missing"),
    ("/api/v1/customers/1", lambda a: setattr(a, "body", json_number(a.body)), r"json \$\.\w+"),
]


def spoil_token(answer):
    """Another signature under every CSRF token."""
    answer.body = re.sub(rb"(I[\w-]{55}\.[\w-]{5,8}\.)[\w-]{27}", rb"\1" + b"A" * 27, answer.body)


def json_number(body: bytes) -> bytes:
    """The first number one higher."""
    return re.sub(rb": ?(\d+)", lambda m: b": %d" % (int(m.group(1)) + 1), body, count=1)


@pytest.fixture(scope="module")
def wrong(stacks, tmp_path_factory):
    """A stack, a second ficus in front of it whose candidate is wrong, and that candidate."""
    stack = stacks(scope="wrong")
    side = WrongSide(str(stack.sockets / "handlers.sock"))
    folder = tmp_path_factory.mktemp("wrong-ficus")
    routes = folder / "routes.toml"
    shutil.copy(stack.routes_file, routes)
    port, admin = free_port(), free_port()
    socket = stack.sockets / "wrong.sock"
    env = {
        **SECRETS,
        "FICUS_LISTEN_HTTP": f"127.0.0.1:{port}",
        "FICUS_LISTEN_ADMIN": f"127.0.0.1:{admin}",
        "FICUS_LISTEN_ADMIN_SOCKET": socket,
        "FICUS_STORE_URL": f"sqlite:{folder / 'ficus.db'}",
        "FICUS_LOG_ACCESS": folder / "access.log",
        "FICUS_BACKENDS_RUST": f"http://127.0.0.1:{side.port}",
    }
    command = [BINARIES / "ficus", "serve", "--config", stack.folder / "ficus.toml", "--routes", routes]
    ficus = Process("wrong-ficus", command, env, folder, folder / "ficus.log")

    def cli(*arguments):
        done = subprocess.run(
            [BINARIES / "ficus", "--socket", socket, *arguments, "--json"],
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )
        return json.loads(done.stdout) if done.returncode == 0 else None

    try:
        wait_until(lambda: cli("status"), "the second ficus answers")
        for name in MOVED:
            assert cli("shadow", name), ficus.log.read_text()
        client = Client(port)
        client.log_in("ana@example.com")
        client.csrf_token("/customers/new")
        yield client, cli, side, grant([stack], "ana@example.com")
    finally:
        ficus.stop()
        side.stop()


@pytest.mark.parametrize("page, fault, group", FAULTS, ids=[str(number) for number in range(len(FAULTS))])
def test_a_wrong_answer_is_found_where_it_is_wrong(wrong, page, fault, group):
    client, cli, side, token = wrong
    headers = [("Authorization", f"Bearer {token}")] if page.startswith("/api/") else []
    for known in cli("diffs")["groups"]:
        cli("diffs", "forget", str(known["id"]))
    side.fault = fault
    try:
        answer = client.get(page, headers)
        assert answer.status == 200, answer.text[:500]
        groups = wait_until(lambda: cli("diffs")["groups"], f"a difference is found: {group}")
    finally:
        side.fault = None
    assert any(re.fullmatch(group, found["signature"]) for found in groups), [g["signature"] for g in groups]
    assert len(groups) <= 3, [g["signature"] for g in groups]
    assert side.marks and set(side.marks) == {"1"}, "the candidate only ever saw copies"
