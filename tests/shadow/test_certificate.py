"""Certificates over the CRM: the real handlers and the real Flask say what they are, and to nobody but Ficus."""

import re

import pytest

from stack.client import Client
from stack.process import wait_until

SECRET = "the-secret-of-the-channel-of-these-tests"
ROUTE = "customers.list"


@pytest.fixture(scope="module")
def stack(stacks):
    env = {
        "LEGACY_SHIM_CHANNEL_SECRET": SECRET,
        "FICUS_FLASK_CHANNEL_SECRET": SECRET,
        "FICUS_SHADOW_SELF_TEST": "2s",
    }
    stack = stacks(scope="certificate", env=env)
    stack.cli("shadow", ROUTE, "--reason", "test")
    return stack


def certificate(stack) -> dict:
    return stack.cli_json("certificate", ROUTE)


def wait_for(stack, what: str, check) -> dict:
    wait_until(lambda: check(certificate(stack)["certificate"] or {}), what)
    return certificate(stack)


def test_both_sides_say_what_they_are(stack):
    answer = wait_for(
        stack, "both programs are known", lambda c: c["provenance"]["build"] and c["provenance"]["code"]
    )
    provenance = answer["certificate"]["provenance"]
    assert re.fullmatch("[0-9a-f]{32}", provenance["build"]), provenance
    assert re.fullmatch("[0-9a-f]{32}", provenance["code"]), provenance
    # The database's own head is the one that the handlers were written for.
    assert provenance["known_heads"] == [provenance["head"]], provenance


def test_comparisons_of_real_pages_stand(stack):
    wait_for(stack, "a test of comparing", lambda c: c["self_test"]["state"] == "passed")
    client = Client(stack.port)
    client.log_in("ana@example.com")
    # What the login's own pages caused is compared before the count begins.
    wait_until(lambda: "\nficus_shadow_queue 0\n" in Client(stack.admin_port).get("/metrics").text, "nothing waits")
    before = certificate(stack)["certificate"]["comparisons"]
    for page in range(1, 6):
        assert client.get(f"/customers/?page={page}").status in (200, 404)
    answer = wait_for(stack, "five comparisons more", lambda c: c["comparisons"] + c["uncounted"]["deferred"] >= before + 5)
    assert answer["certificate"]["mismatches"] == 0, answer
    assert answer["stands"], answer["missing"]
    assert stack.cli("certificate", ROUTE, "--exit-code").returncode == 0


def test_the_same_program_started_again_is_the_same(stack):
    before = certificate(stack)["certificate"]
    stack.legacy.stop()
    stack.processes.remove(stack.legacy)
    stack.legacy = stack._start_legacy()
    client = Client(stack.port)
    wait_until(lambda: client.get("/auth/login").status == 200, "Flask is back")
    tested = before["self_test"]
    answer = wait_for(stack, "a test after that", lambda c: c["self_test"] != tested)
    assert answer["certificate"]["number"] == before["number"], answer
    assert answer["certificate"]["provenance"] == before["provenance"]


@pytest.mark.parametrize("path", ["/_ficus/about", "/_shim/about", "/%5Fficus/about", "/_shim%2Fabout", "//_shim/about"])
def test_clients_are_told_nothing(stack, path):
    headers = [("X-Legacy-Shim-Authorization", f"Bearer {SECRET}")]
    answer = Client(stack.port).request("GET", path, headers=headers)
    assert answer.status == 404
    assert "code" not in answer.text and "build" not in answer.text


def test_the_secret_is_nowhere(stack):
    for path in stack.folder.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
