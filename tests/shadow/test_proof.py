"""The two figures of shadow traffic: how many mistakes it finds, and how often it finds one where there is none.

    cargo xtask prove-shadow [--comparisons N] [--fault NAME]

A fault counts as found if a mismatch is counted while everything that was recorded of its route is asked once; what is asked
is the same for all faults of a route. Without a fault, and with what a port may do in its own way, nothing may be found.
"""

import http.client
import itertools
import json
import os
import random
import re
import threading
import time
from urllib.parse import unquote_to_bytes

import pytest

from shadow import faults
from shadow.side_ficus import SideFicus, judged
from shadow.traffic import record
from shadow.wrong_side import WrongSide
from stack.api_token import grant
from stack.client import Client
from stack.process import Process, free_port, wait_until
from stack.stack import MOVED, ROOT, crm_env, crm_python

COMPARISONS = int(os.environ.get("FICUS_PROOF_COMPARISONS", "1000"))
ONLY = os.environ.get("FICUS_PROOF_FAULT", "")
AT_LEAST_FOUND = 0.95
AT_MOST_FALSE = 0.001
READERS = 4
# Requests after which one looks whether something was found.
AT_ONCE = 16
# The reports of the CRM are cached by each process for itself; which of two is older is no matter of right or wrong.
UNCACHED = {"CRM_REPORT_CACHE_SECONDS": "0"}


@pytest.fixture(scope="module")
def stack(stacks):
    return stacks(scope="proof", env=UNCACHED)


@pytest.fixture(scope="module")
def traffic(stack):
    return record(stack)


def start_crm(stack, folder, flask: str, application: str, **env) -> tuple:
    """A CRM on the database of the stack: process and port."""
    port = free_port()
    command = [
        crm_python(flask), "-m", "gunicorn", "--config", "gunicorn.conf.py", "--bind", f"127.0.0.1:{port}", application,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    env = {**crm_env(stack.databases.url(stack.database), stack.folder), **UNCACHED, **env}
    process = Process("crm", command, env, ROOT / "legacy-crm", folder / "crm.log")

    def answers() -> bool:
        process.require_alive()
        try:
            return Client(port).get("/auth/login").status == 200
        except OSError:
            return False

    wait_until(answers, "the other CRM answers")
    return process, port


@pytest.fixture(scope="module")
def wrong(stack, tmp_path_factory):
    """A ficus whose candidate commits faults."""
    folder = tmp_path_factory.mktemp("faulty")
    path = os.pathsep.join(str(ROOT / part) for part in ("tests", "legacy-shim/python/src", "legacy-crm"))
    crm, port = start_crm(
        stack, folder, "1.1", "shadow.faulty_crm:application", CRM_WORKERS="1", CRM_THREADS="6", PYTHONPATH=path
    )
    side = WrongSide(str(stack.sockets / "handlers.sock"), crm_port=port)
    env = {"FICUS_BACKENDS_RUST": f"http://127.0.0.1:{side.port}", "FICUS_SHADOW_QUEUE": "1000"}
    ficus = SideFicus(stack, folder / "wrong", "rust", env)
    yield Wrong(ficus, side, port, grant([stack], "ana@example.com"))
    ficus.stop()
    side.stop()
    crm.stop()


class Wrong:
    """Commits faults and says what was found."""

    def __init__(self, ficus, side, crm_port, token):
        self.ficus, self.side, self.crm_port, self.token = ficus, side, crm_port, token
        self._crm = Client(crm_port)
        self._towns = itertools.count(1)

    def crm_faults(self) -> list:
        return json.loads(self._crm.get("/__fault__/").text)

    def commit(self, name: str = "none", spoil=None):
        """Either the CRM has a fault, or the handlers' answers are spoiled."""
        self.side.fault, self.side.crm_port = spoil, None if spoil else self.crm_port
        answer = self._crm.get(f"/__fault__/{name}")
        assert answer.status == 200, f"{name}:\n{answer.text}"

    def ask(self, requests: list) -> dict:
        """Asks everything, until something is found; in the end a colleague changes a customer, and people look again."""
        before, mismatches = self.ficus.groups(), self._mismatches()
        requests = random.Random(len(requests)).sample(requests, len(requests))
        for start in range(0, len(requests), AT_ONCE):
            self._send(requests[start : start + AT_ONCE])
            if self._mismatches() > mismatches:
                break
        else:
            seen = [found.group(1) for r in requests if (found := re.search(r"/customers/(\d+)$", r.target)) and r.cookies]
            # Somebody asks for customers that are not there, too: 0 and 9999.
            number = next((number for number in seen if 0 < int(number) < 9999), "1")
            assert patch(self.ficus.port, f"/api/v1/customers/{number}", {"city": f"Town {next(self._towns)}"}, self.token) == 200
            self._send([request for request in requests if request.target.endswith(f"/customers/{number}")] + requests[:3])
        return {key: count for key, count in self.ficus.groups().items() if count > before.get(key, 0)}

    def _send(self, requests: list):
        send(self.ficus.port, requests)
        self.ficus.settle()

    def _mismatches(self) -> int:
        return self.ficus.results().get("mismatch", 0)


def send(port: int, requests: list):
    """Sends each request once, some at a time."""
    left, lock, trouble = iter(requests), threading.Lock(), []

    def work():
        while True:
            with lock:
                request = next(left, None)
            if request is None:
                return
            try:
                request.send(port)
            except Exception as error:
                trouble.append((request.target, error))
                return

    threads = [threading.Thread(target=work) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble, trouble


def patch(port: int, target: str, values: dict, token: str, method: str = "PATCH") -> int:
    headers = [("Authorization", f"Bearer {token}"), ("Content-Type", "application/json")]
    return Client(port).request(method, target, json.dumps(values).encode(), headers).status


def of_routes(traffic: list, routes) -> list:
    return [request for request in traffic if request.route in routes]


def test_seeded_faults_are_found(wrong, traffic, capsys):
    cases = [(fault["name"], fault["routes"], None) for fault in wrong.crm_faults()]
    cases += [(name, routes, spoil) for name, (routes, spoil) in faults.FAULTS.items()]
    cases = [case for case in cases if not ONLY or case[0] == ONLY]
    missed = []
    for name, routes, spoil in cases:
        wrong.commit("none" if spoil else name, spoil)
        requests = of_routes(traffic, routes)
        signatures = sorted({signature for _, signature in wrong.ask(requests)})
        if not signatures:
            missed.append(name)
        first = "; ".join(signatures[:2]) or "NOT FOUND"
        more = f" and {len(signatures) - 2} more" if len(signatures) > 2 else ""
        with capsys.disabled():
            print(f"  {name} ({len(requests)} requests): {first}{more}", flush=True)
    wrong.commit()
    share = 1 - len(missed) / len(cases)
    with capsys.disabled():
        told = f"{len(cases) - len(missed)} of {len(cases)} seeded faults found ({share:.1%})"
        print(f"shadow proof: {told} by {len(traffic)} requests on {len({request.route for request in traffic})} routes")
    assert ONLY or len(cases) >= 40
    assert share >= AT_LEAST_FOUND, f"not found: {missed}"


def test_what_a_port_may_do_in_its_own_way_is_no_difference(wrong, traffic):
    known = [request for request in traffic if request.route in MOVED]
    everywhere = [request for request in traffic if request.route not in MOVED]
    wrong.commit()
    assert wrong.ask(everywhere[::3]) == {}, "Flask beside the same Flask"
    wrong.commit(spoil=lambda answer: None)
    assert wrong.ask(known[::2]) == {}, "the handlers as they are"
    for name, (routes, spoil) in faults.HARMLESS.items():
        wrong.commit(spoil=spoil)
        assert wrong.ask(of_routes(traffic, routes)[::5]) == {}, name


class Writer(threading.Thread):
    """A colleague who works all the time: through Flask, on what the others look at; slower on a slow machine."""

    def __init__(self, port: int, token: str, seed: int):
        super().__init__()
        self.writes, self.ended = 0, threading.Event()
        self._port, self._token, self._random = port, token, random.Random(seed)

    def run(self):
        began = time.monotonic()
        while not self.ended.wait(max(0.25, 4 * (time.monotonic() - began))):
            began = time.monotonic()
            Client(self._port).get("/api/v1/customers?per_page=50", [("Authorization", f"Bearer {self._token}")])
            number = self._random.randrange(1, 60)
            what = self._random.choice(("customer", "customer", "activity", "done"))
            if what == "customer":
                values = {"city": f"Town {self._random.randrange(999)}", "annual_revenue": str(self._random.randrange(9999))}
                status = patch(self._port, f"/api/v1/customers/{number}", values, self._token)
            elif what == "activity":
                values = {"customer_id": number, "kind": "call", "subject": f"Call {self._random.randrange(999)}"}
                status = patch(self._port, "/api/v1/activities", values, self._token, "POST")
            else:
                status = patch(self._port, f"/api/v1/activities/{number}", {"done": bool(number % 2)}, self._token)
            assert status in (200, 201), f"{what} {number}: {status}"
            self.writes += 1


def under_load(ficus, requests: list, comparisons: int, token: str) -> tuple:
    """Several people ask while another one writes, until so many pairs of answers are judged: results and writes."""
    before = ficus.results()
    start = judged(before)
    writer, stop = Writer(ficus.port, token, 7), threading.Event()
    trouble = []

    def read(seed: int):
        order = random.Random(seed)
        try:
            while not stop.is_set():
                for request in order.sample(requests, 25):
                    request.send(ficus.port)
                while ficus.waiting() > 60:
                    stop.wait(0.05)
        except (AssertionError, OSError, http.client.HTTPException) as error:
            trouble.append(error)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(READERS)]
    for thread in [writer, *readers]:
        thread.start()
    try:
        wait_until(lambda: trouble or judged(ficus.results()) - start >= comparisons, f"{comparisons} comparisons", 900)
    finally:
        stop.set()
        writer.ended.set()
        for thread in [writer, *readers]:
            thread.join()
    assert not trouble, trouble
    assert writer.writes, "nobody wrote anything"
    ficus.settle()
    results = {result: count - before.get(result, 0) for result, count in ficus.results().items()}
    return results, f"{writer.writes} writes", ficus.asked_again()


def is_text(target: str) -> bool:
    try:
        return bool(unquote_to_bytes(target).decode())
    except UnicodeDecodeError:
        return False


def tell(capsys, what: str, found: tuple, groups: dict) -> int:
    results, writes, again = found
    false, all_judged = results.get("mismatch", 0), judged(results)
    with capsys.disabled():
        for (route, signature), count in groups.items():
            print(f"  false: {route} {signature} {count} times")
        print(
            f"shadow proof: {what}: {false} false mismatches in {all_judged} comparisons ({false / all_judged:.3%}), "
            f"{results.get('raced', 0)} raced, {writes} meanwhile; {results}; asked again: {again}"
        )
    return false


def may_be_false(results: dict) -> float:
    """So many false mismatches are let pass; fewer than a thousand comparisons cannot show one in a thousand."""
    return max(1, AT_MOST_FALSE * judged(results))


def test_right_handlers_do_not_differ_under_load(stack, traffic, tmp_path, capsys):
    """The real handlers beside Flask 1.1.2, while data change between the two answers."""
    ficus = SideFicus(stack, tmp_path / "right", "rust", {"FICUS_SHADOW_CONFIRM": "600"})
    try:
        requests = of_routes(traffic, MOVED)
        results, writes, again = under_load(ficus, requests, COMPARISONS, grant([stack], "ana@example.com"))
        groups = ficus.groups()
    finally:
        ficus.stop()
    false = tell(capsys, "right handlers", (results, writes, again), groups)
    assert results["match"] >= 0.5 * judged(results), results
    assert false <= may_be_false(results), groups


def test_an_upgrade_does_not_differ_under_load(stack, traffic, tmp_path, capsys):
    """Flask 2.3 beside Flask 1.1.2, all routes but the audit log, which every look at anything may change: between no two
    answers of it does anything stay as it was (docs/explanation/what-a-certificate-proves.md says why that cannot be judged).
    What is no UTF-8 means something else to each of them."""
    traffic = [request for request in traffic if is_text(request.target) and request.route != "admin.audit_log"]
    crm, port = start_crm(stack, tmp_path / "next", "2.3", "wsgi:app")
    env = {
        "FICUS_BACKENDS_LEGACY_NEXT": f"http://127.0.0.1:{port}",
        "FICUS_SHADOW_PROFILES": "legacy-next=werkzeug-2.3",
        "FICUS_SHADOW_CONFIRM": "600",
    }
    ficus = SideFicus(stack, tmp_path / "upgrade", "legacy-next", env)
    try:
        results, writes, again = under_load(ficus, traffic, COMPARISONS // 2, grant([stack], "ana@example.com"))
        groups = ficus.groups()
    finally:
        ficus.stop()
        crm.stop()
    false = tell(capsys, "Flask 2.3 after 1.1.2", (results, writes, again), groups)
    assert false <= may_be_false(results), groups
