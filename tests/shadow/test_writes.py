"""Write parity over the CRM: the handlers try a write out, nothing of that stays, Flask does it once, and wrong rows are
found. The handlers here are `rust-handlers/examples/rehearsal.rs`, which does wrong what the header X-Fault says."""

import json
import os
import re
import socket
import threading

import pytest

from stack.client import Client
from stack.process import wait_until
from stack.stack import BINARIES, ROOT

REHEARSAL = BINARIES / "examples" / "rehearsal"
ROUTES = ["customers.create", "customers.archive"]

# A sequence counts what was tried, even if it was rolled back; the table what stayed.
COUNTER = """
CREATE TABLE executions (number serial PRIMARY KEY, name text NOT NULL);
CREATE SEQUENCE tries;
CREATE FUNCTION count_execution() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('tries');
    INSERT INTO executions (name) VALUES (NEW.name);
    RETURN NEW;
END $$;
CREATE TRIGGER count_execution BEFORE INSERT ON customers FOR EACH ROW EXECUTE PROCEDURE count_execution();
"""


TRIES = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tries"


def start(stacks, folder, **more):
    mails = folder / "mails"
    stack = stacks(
        writes=ROUTES, handlers=more.pop("handlers", REHEARSAL), env={"MAIL_FILE": mails, **more.pop("env", {})},
        settings={"FICUS_SHADOW_DRY_RUNS": "16", "FICUS_SHADOW_DRY_RUN_TIMEOUT": "3s", **more.pop("settings", {})}, **more,
    )
    stack.query(COUNTER)
    # The example has made its outbox by now: that table is captured as well.
    stack.capture("install")
    stack.mails = mails
    return stack


@pytest.fixture(scope="module", params=["1.1", "2.3"])
def writing(stacks, tmp_path_factory, request):
    """A stack whose writes are tried out."""
    return start(stacks, tmp_path_factory.mktemp("mails"), scope="writes", flask=request.param)


def person(stack) -> Client:
    client = Client(stack.port)
    client.log_in("ana@example.com")
    return client


def create(client: Client, name: str, fault: str = "", headers=(), **fields):
    form = {
        "csrf_token": client.csrf_token("/auth/profile"), "name": name, "status": "lead", "owner_id": "1",
        "city": "Bern", "country": "Schweiz", "annual_revenue": "1250.50", **fields,
    }
    more = [("X-Fault", fault)] if fault else []
    return client.post_form("/customers/new", form, [*more, *headers])


def tally(stack, route="customers.create") -> dict:
    return stack.cli_json("diffs")["routes"].get(route, {"compared": {}, "dropped": {}})


def results(stack, route="customers.create") -> dict:
    numbers = tally(stack, route)
    return {**numbers["compared"], **numbers["dropped"]}


def one_more(stack, action, route="customers.create") -> dict:
    """What `action` adds to the results of a route: one request."""
    before = results(stack, route)
    action()
    changed = wait_until(
        lambda: {key: n - before.get(key, 0) for key, n in results(stack, route).items() if n != before.get(key, 0)},
        "the request is counted",
    )
    return changed


def groups(stack) -> list:
    return stack.cli_json("diffs", "export")["groups"]


def forget(stack):
    for group in groups(stack):
        stack.cli("diffs", "forget", str(group["id"]))


def count(stack, sql: str, *parameters) -> int:
    return stack.query(sql, parameters)[0][0]


def stayed(stack, name: str) -> int:
    return count(stack, "SELECT count(*) FROM executions WHERE name = %s", name)


def test_flask_executes_once_and_right_handlers_match(writing):
    stack = writing
    forget(stack)
    before, tries = results(stack), count(stack, TRIES)
    names = [f"Once {number}" for number in range(24)]
    statuses = []

    def work(part):
        client = person(stack)
        for name in part:
            statuses.append(create(client, name).status)

    # Copies of reads beside it.
    for route in ("customers.list", "customers.detail"):
        stack.cli("shadow", route, "--reason", "test")
    threads = [threading.Thread(target=work, args=(names[number::4],)) for number in range(4)]
    reader, stop = person(stack), threading.Event()

    def read():
        while not stop.is_set():
            reader.get("/customers/")

    threads.append(threading.Thread(target=read))
    for thread in threads:
        thread.start()
    for thread in threads[:-1]:
        thread.join()
    stop.set()
    threads[-1].join()
    assert statuses == [302] * len(names)
    assert [stayed(stack, name) for name in names] == [1] * len(names)
    assert count(stack, "SELECT count(*) FROM customers WHERE name LIKE 'Once %%'") == len(names)
    wait_until(
        lambda: sum(results(stack).values()) - sum(before.values()) == len(names), "all writes are compared", 60
    )
    new = {key: number - before.get(key, 0) for key, number in results(stack).items() if number != before.get(key, 0)}
    assert not groups(stack), json.dumps(groups(stack), indent=1)
    assert set(new) <= {"match", "ignored"}, new
    assert count(stack, TRIES) - tries == 2 * len(names), "each was tried, and done"
    wait_until(lambda: count(stack, "SELECT count(*) FROM ficus_capture.row_change") == 0, "captured rows are gone")
    certificate = stack.cli_json("certificate", "customers.create")
    rows = json.dumps(certificate)
    assert re.search(r'"compared": 2[4-9]', rows), rows


class Counting(Client):
    """A client that knows how often it has asked."""

    sent = 0

    def request(self, method, target, body=b"", headers=()):
        with LOCK:
            Counting.sent += 1
        return super().request(method, target, body, headers)


LOCK = threading.Lock()


def test_each_request_is_executed_once_with_everything_on(stacks, tmp_path_factory):
    """Copies, noise, asking again, tests of comparing, writes tried out, a recording: the served side is asked once for each
    request, which its database counts. What it is asked beside that is marked, safe, and what noise and asking again say."""
    path = os.pathsep.join(str(ROOT / part) for part in ("tests", "legacy-shim/python/src", "legacy-crm"))
    stack = start(
        stacks, tmp_path_factory.mktemp("mails"), scope="everything", application="shadow.counted_crm:application",
        handlers=BINARIES / "rust-handlers",
        env={"PYTHONPATH": path},
        settings={"FICUS_SHADOW_NOISE": "600", "FICUS_SHADOW_NOISE_PER_ROUTE": "300", "FICUS_SHADOW_SELF_TEST": "2s"},
    )
    reads = ("customers.list", "customers.detail")
    for route in reads:
        stack.cli("shadow", route, "--reason", "test")
    stack.cli("record", "start", "*", "--reason", "test")
    stack.query("DELETE FROM asked")
    Counting.sent, tries = 0, count(stack, TRIES)
    names = [f"Every {number}" for number in range(20)]
    pages = [f"/customers/?n={number}" for number in range(60)] + [f"/customers/{1 + number % 9}?n={number}" for number in range(60)]

    def write(part):
        client = Counting(stack.port)
        client.log_in("ana@example.com")
        for name in part:
            assert create(client, name).status == 302

    def read(part):
        client = Counting(stack.port)
        client.log_in("ana@example.com")
        for page in part:
            assert client.get(page).status == 200, page

    trouble = []

    def work(action, part):
        try:
            action(part)
        except Exception as error:
            trouble.append(repr(error))

    parts = [(write, names[number::2]) for number in range(2)] + [(read, pages[number::3]) for number in range(3)]
    threads = [threading.Thread(target=work, args=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not trouble, trouble

    def metrics() -> str:
        return Client(stack.admin_port).get("/metrics").text

    wait_until(lambda: "\nficus_shadow_queue 0\n" in metrics(), "all copies and writes are compared", 120)
    recording = stack.cli_json("record", "stop")["recording"]
    pairs = sum(stack.cli_json("noise", route)["pairs"] for route in reads)
    again = sum(int(found) for found in re.findall(r"^ficus_shadow_asked_again_total\{.*\} (\d+)", metrics(), re.M))
    served = count(stack, "SELECT count(*) FROM asked WHERE NOT copy")
    copies = count(stack, "SELECT count(*) FROM asked WHERE copy")
    tried = count(stack, TRIES) - tries - len(names)
    print(
        f"\n{Counting.sent} requests, {served} executions counted by the database, {stack.flask}; marked copies beside them: "
        f"{copies} ({pairs} for noise, {again} differences asked again); {tried} writes tried and rolled back; "
        f"{recording['requests']} requests recorded"
    )
    assert served == Counting.sent
    twice = stack.query("SELECT target, count(*) FROM asked WHERE NOT copy AND target LIKE '%%n=%%' GROUP BY target HAVING count(*) <> 1")
    assert twice == [] and count(stack, "SELECT count(DISTINCT target) FROM asked WHERE target LIKE '%%n=%%'") == len(pages)
    assert count(stack, "SELECT count(*) FROM asked WHERE NOT copy AND method = 'POST' AND target = '/customers/new'") == len(names)
    assert [stayed(stack, name) for name in names] == [1] * len(names)
    unsafe = stack.query("SELECT method, target FROM asked WHERE copy AND method NOT IN ('GET', 'HEAD')")
    assert unsafe == [], "nothing that may change something is asked twice"
    # Each time that a difference is asked about, the served side is asked at most three times.
    assert 0 < pairs <= copies <= pairs + 3 * again, (pairs, copies, again)
    assert tried == len(names) and recording["requests"] > 0


# What the handlers do wrong (`WRONG` of rehearsal.rs), and the group that must be found.
CREATED = r"rows\.customers\[insert\]\."
LOGGED = r"rows\.audit_log\[insert\]"
FAULTS = [
    ("wrong_value", CREATED + "notes.*"),
    ("swapped_columns", CREATED + "(city|country).*"),
    ("forgotten_row", LOGGED + " missing"),
    ("extra_row", LOGGED + " extra"),
    ("other_row", r"rows\.customers\[update\] extra"),
    ("late_error", r"status 302/500"),
    ("past_the_transaction", r"status 302/500"),
    ("rounded_amount", CREATED + "annual_revenue.*"),
    ("a_cent_less", CREATED + "annual_revenue.*"),
    ("empty_for_null", CREATED + "website.*"),
    ("null_for_a_value", CREATED + "city.*"),
    ("cut_text", CREATED + "country.*"),
    ("blank_kept", CREATED + "name.*"),
    ("other_letters", CREATED + "city.*"),
    ("wrong_owner", CREATED + "owner_id.*"),
    ("wrong_status", CREATED + "status.*"),
    ("local_time", CREATED + "created_at.*"),
    ("time_set_too_early", CREATED + "archived_at.*"),
    ("old_time_kept", CREATED + "updated_at.*"),
    ("foreign_id", LOGGED + r"\.entity_id.*"),
    ("nobody_did_it", LOGGED + r"\.user_id.*"),
    ("other_word", LOGGED + r"\.action.*"),
    ("detail_left_out", LOGGED + r"\.detail.*"),
    ("row_twice", LOGGED + " extra"),
    ("row_deleted", r"rows\.activities\[delete\] extra"),
    ("all_rows", r"rows\.users\[update\] extra"),
]


@pytest.fixture(scope="module")
def told(writing, request):
    """How many of the wrong writes were found; said at the end, for `cargo xtask prove-shadow`."""
    found = []
    yield found
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nshadow proof: {len(found)} of {len(FAULTS)} seeded faults of writes found, Flask {writing.flask}")


@pytest.mark.parametrize("fault, group", FAULTS, ids=[fault for fault, _ in FAULTS])
def test_a_wrong_write_is_found_and_leaves_nothing(writing, told, fault, group):
    stack, client = writing, person(writing)
    forget(stack)
    rows = count(stack, "SELECT count(*) FROM audit_log")
    name = f"Wrong {fault}"
    changed = one_more(stack, lambda: create(client, name, fault))
    assert changed == {"mismatch": 1}, changed
    found = wait_until(lambda: groups(stack), "the difference is stored")
    assert any(re.fullmatch(group, one["signature"]) for one in found), [one["signature"] for one in found]
    assert stayed(stack, name) == 1
    # Flask's entry about the customer, and the one about the login of `person` is older.
    assert count(stack, "SELECT count(*) FROM audit_log") == rows + 1
    assert count(stack, "SELECT count(*) FROM audit_log WHERE action = 'extra'") == 0
    assert name not in json.dumps(found), "what is stored is masked"
    told.append(fault)


def test_a_refused_form_changes_nothing_on_both_sides(writing):
    stack, client = writing, person(writing)
    forget(stack)
    changed = one_more(stack, lambda: create(client, ""))
    assert set(changed) <= {"match", "ignored"}, (changed, groups(stack))


def test_a_dry_run_sends_nothing_and_a_real_one_does(writing):
    stack, client = writing, person(writing)
    forget(stack)
    changed = one_more(stack, lambda: create(client, "Mail 1", "mail"))
    assert changed == {"ignored": 1}, (changed, groups(stack))
    assert "built-in outbox" in json.dumps(stack.cli_json("diffs")["routes"])
    assert not stack.mails.exists() and count(stack, "SELECT count(*) FROM ficus_outbox.message") == 0
    stack.cli("flip", "customers.create", "rust", "--reason", "test")
    try:
        assert create(client, "Mail 2", "mail").header("x-ficus-backend") == "rust"
        assert create(client, "Mail 3", "late_error").status == 500
        wait_until(lambda: stack.mails.exists() and stack.mails.read_text(), "the mail is sent after the commit")
        wait_until(lambda: count(stack, "SELECT count(*) FROM ficus_outbox.message") == 0, "it is done with")
        assert stack.mails.read_text().count("somebody@example.com") == 1
    finally:
        stack.cli("flip", "customers.create", "legacy", "--reason", "test")
    assert (stayed(stack, "Mail 2"), stayed(stack, "Mail 3")) == (1, 0), "a good answer commits, a bad one does not"


def test_a_handler_that_is_not_made_for_it_is_not_run(writing):
    stack, client = writing, person(writing)
    create(client, "To be archived")
    number = count(stack, "SELECT id FROM customers WHERE name = 'To be archived'")
    token = client.csrf_token("/auth/profile")
    archive = f"/customers/{number}/archive"
    changed = one_more(stack, lambda: client.post_form(archive, {"csrf_token": token}), "customers.archive")
    assert changed == {"not_covered": 1}, changed
    assert count(stack, "SELECT count(*) FROM audit_log WHERE action = 'extra'") == 0
    assert count(stack, "SELECT count(*) FROM audit_log WHERE action = 'customer.archive' AND entity_id = %s", number) == 1


def test_nobody_but_the_proxy_can_ask_for_a_dry_run(writing):
    stack, client = writing, person(writing)
    mark = "v1." + "0" * 31 + "1.500.POST." + "0" * 32
    headers = [("X-Ficus-Dry-Run", mark), ("X-Ficus-Capture", mark)]
    one_more(stack, lambda: create(client, "Forged", headers=headers))
    assert stayed(stack, "Forged") == 1
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(stack.sockets / "handlers.sock"))
        for method in ("POST", "DRY-RUN"):
            connection.sendall(
                f"{method} /customers/new HTTP/1.1\r\nHost: crm.test\r\nX-Ficus-Dry-Run: {mark}\r\n"
                "Content-Length: 0\r\n\r\n".encode()
            )
            head = connection.recv(65536)
            assert head.startswith(b"HTTP/1.1 501") and b"not-covered" in head, head


def test_large_bodies_reach_flask_whole(writing):
    stack, client = writing, person(writing)
    # The field behind the padding shows that nothing of the body was lost.
    more = {"padding": "long " * 20_000, "website": "https://example.com/behind"}
    changed = one_more(stack, lambda: create(client, "Large", **more))
    assert set(changed) <= {"match", "ignored"}, (changed, groups(stack))
    assert stack.query("SELECT website FROM customers WHERE name = 'Large'") == [(more["website"],)]
    changed = one_more(stack, lambda: create(client, "Larger", padding="longer " * 50_000))
    assert changed == {"body_too_large": 1}, changed
    assert stayed(stack, "Larger") == 1


def test_the_user_gets_flasks_answer_once_whatever_becomes_of_the_handlers(stacks, tmp_path_factory):
    settings = {"FICUS_SHADOW_DRY_RUN_TIMEOUT": "700ms"}
    stack = start(stacks, tmp_path_factory.mktemp("mails"), scope="broken", settings=settings)
    client = person(stack)

    def write(name: str, fault: str = "") -> dict:
        changed = one_more(stack, lambda: create(client, name, fault))
        assert stayed(stack, name) == 1, (name, fault)
        return changed

    assert write("Broken 1", "hang") == {"unanswered": 1}
    assert set(write("Broken 2")) <= {"match", "ignored", "unanswered"}
    assert write("Broken 3", "crash") == {"unanswered": 1}
    wait_until(lambda: not stack.handlers.alive(), "the handlers are gone")
    assert write("Broken 4") == {"unanswered": 1}
    stack.handlers.start()
    wait_until(lambda: listens(stack), "the handlers are back")
    write("Broken 5")
    write("Broken 6", "stand_still")
    # Many at a time, all of them hanging: after three nobody waits any more.
    clients = [person(stack) for _ in range(4)]
    threads = [
        threading.Thread(target=lambda n=n, c=c: [create(c, f"Many {n} {m}", "hang") for m in range(3)])
        for n, c in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stayed(stack, f"Many {n} {m}") for n in range(4) for m in range(3)] == [1] * 12
    assert results(stack).get("resting"), "a candidate that does not answer is left alone"
    idle = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in trans%%'"
    wait_until(lambda: count(stack, idle) == 0, "no dry run keeps its locks")
    assert count(stack, "SELECT count(*) FROM customers WHERE name LIKE 'Broken %%' OR name LIKE 'Many %%'") == 18


def listens(stack) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(stack.sockets / "handlers.sock")) == 0


def test_triggers_come_and_go(stacks, tmp_path_factory):
    stack = start(stacks, tmp_path_factory.mktemp("mails"), scope="triggers")
    stack.query("CREATE TABLE later (a int, b int, PRIMARY KEY (b, a))")
    status = stack.capture("status", "--exit-code", check=False)
    assert (status.returncode, "public.later" in status.stdout) == (3, True), status.stdout
    stack.capture("install")
    assert stack.capture("status", "--exit-code").returncode == 0
    stack.query("ALTER TABLE later DROP CONSTRAINT later_pkey, ADD PRIMARY KEY (a)")
    assert "stale" in stack.capture("status").stdout
    stack.capture("install")
    request = "0" * 32
    stack.query(
        f"BEGIN; INSERT INTO later VALUES (1, 1); SELECT set_config('ficus.request', '{request}', true);"
        "INSERT INTO later VALUES (2, 2); UPDATE later SET b = 3 WHERE a = 2; DELETE FROM later WHERE a = 1; COMMIT"
    )
    stack.query("INSERT INTO later VALUES (4, 4)")
    changes = [row[0] for row in stack.query("SELECT change FROM ficus_capture.row_change ORDER BY id")]
    assert [(change["op"], change["key"]) for change in changes] == [
        ("insert", {"a": 2}), ("update", {"a": 2}), ("delete", {"a": 1}),
    ]
    assert changes[1]["before"] == {"a": 2, "b": 2} and changes[1]["after"] == {"a": 2, "b": 3}
    stack.query(
        f"SELECT set_config('ficus.request', '{request}', true); INSERT INTO later SELECT n, n FROM generate_series(10, 2000) n"
    )
    assert count(stack, "SELECT count(*) FROM ficus_capture.row_change WHERE change IS NULL") == 1
    refused = stack.capture("status", "--database", "postgresql://u:geheim@h/d", check=False)
    assert refused.returncode == 2 and "geheim" not in refused.stdout + refused.stderr
    stack.capture("remove")
    assert count(stack, "SELECT count(*) FROM pg_trigger WHERE tgname = 'zz_ficus_capture'") == 0
    assert count(stack, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ficus_capture'") == 0
    client = person(stack)
    changed = one_more(stack, lambda: create(client, "Without triggers"))
    assert changed == {"not_captured": 1}, changed
    assert stayed(stack, "Without triggers") == 1
