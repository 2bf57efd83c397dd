"""A canary in front of the real application: who is in it is whom Flask-Login knows, on every click and by every cookie."""

from stack.client import Client

PEOPLE = ["ana", "marco", "rita", "raj", "lena"]


def user_id(stack, name: str) -> str:
    ((number,),) = stack.query("SELECT id FROM users WHERE email = %s", (f"{name}@example.com",))
    return str(number)


def person(stack, name: str, remember: bool = False) -> Client:
    client = Client(stack.port)
    client.log_in(f"{name}@example.com", remember=remember)
    return client


def side(client: Client, target: str = "/customers/") -> str:
    answer = client.get(target)
    assert answer.status == 200, f"{target}: {answer.status}"
    return answer.header("x-ficus-backend")


def test_named_users_are_served_by_rust_and_others_by_flask(stack):
    stack.cli("canary", "customers.list", "0%", "--users", user_id(stack, "ana"))
    ana, marco = person(stack, "ana"), person(stack, "marco")
    for _ in range(3):
        assert (side(ana), side(marco)) == ("rust", "legacy")
    stack.cli("rollback", "customers.list")
    assert (side(ana), side(marco)) == ("legacy", "legacy")


def test_everybody_stays_on_the_side_that_explain_names(stack):
    stack.cli("canary", "customers.list", "50%", "--group", "customers")
    stack.cli("canary", "customers.detail", "50%", "--group", "customers")
    for name in PEOPLE:
        client = person(stack, name, remember=True)
        explained = stack.cli_json("explain", "GET", "/customers/", "--user", user_id(stack, name))["explanation"]
        sides = {side(client) for _ in range(3)}
        assert sides == {explained["backend"]}, name
        # A journey stays on one side: routes of one group share the seed.
        row = client.get("/customers/1")
        if row.status == 200:
            assert row.header("x-ficus-backend") == explained["backend"], name
        # The session is gone, the remember cookie is not: still the same user.
        client.cookies = {key: value for key, value in client.cookies.items() if key == "remember_token"}
        assert client.cookies, "the application sets no remember cookie"
        assert client.get("/customers/").header("x-ficus-backend") == explained["backend"], name


def test_a_browser_nobody_logged_in_with_stays_on_one_side(stack):
    # The login page has no counterpart in Rust: what matters is the cookie, and that the page is Flask's all the same.
    stack.cli("canary", "customers.list", "50%")
    html = [("Accept", "text/html")]
    client = Client(stack.port)
    first = client.get("/customers/", headers=html)
    assert "ficus_visitor" in client.cookies, first.headers
    for _ in range(4):
        again = client.get("/customers/", headers=html)
        assert again.header("x-ficus-backend") == first.header("x-ficus-backend")
        assert not [cookie for cookie in again.headers_named("set-cookie") if cookie.startswith("ficus_visitor")]
    assert first.header("location") == again.header("location")


def test_after_a_write_the_user_reads_from_the_side_that_has_it(stack):
    stack.cli("canary", "customers.list", "100%", "--group", "customers")
    stack.cli("canary", "customers.create", "0%", "--group", "customers", "--testers", "on")
    ana = person(stack, "ana")
    assert side(ana) == "rust"
    form = {"csrf_token": ana.csrf_token("/customers/new"), "name": "Pinned & Sons", "status": "lead"}
    written = ana.post_form("/customers/new", form)
    assert written.header("x-ficus-backend") == "legacy", written.text
    assert any(name.startswith("ficus_pin_") for name in ana.cookies), ana.cookies
    assert side(ana) == "legacy"
    assert side(person(stack, "marco")) == "rust"
