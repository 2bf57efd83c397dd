"""What people ask of the CRM: recorded once, before and without any fault.

Three roles click through everything that links and search forms offer, scripts use the API; and each kind of page is also
asked by everybody, without a login, with HEAD, with a message waiting, with a remember-me cookie only, and with a session
that nobody signed.
"""

import html
import re
from dataclasses import dataclass, field
from datetime import date
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from parity.test_parity import CASES
from stack.api_token import grant
from stack.client import Client

PEOPLE = ("ana@example.com", "marco@example.com", "rita@example.com")
LINK = re.compile(r'<(?:a|link|script|img)[^>]*(?:href|src)="([^"#]+)"')
GET_FORM = re.compile(r'<form[^>]*method="get"[^>]*action="([^"]*)".*?</form>', re.S)
SELECT = re.compile(r'<select name="(\w+)".*?</select>', re.S)
WORDS = ("an", "AN", "%", "b_", 'x"y')
ALIKE = 3
PAGES = 140
API = (
    "/api/v1/deals", "/api/v1/deals?status=won&per_page=5", "/api/v1/deals/3", "/api/v1/deals/999999", "/api/v1/activities",
    "/api/v1/activities?done=false&per_page=20", "/api/v1/activities?kind=call&done=true", "/api/v1/activities/5",
    "/api/v1/contacts", "/api/v1/contacts/1", "/api/v1/search?q=an", "/api/v1/search?q=a", "/api/v1/search",
    "/api/v1/customers?per_page=10", "/api/v1/customers?per_page=100", "/api/v1/customers?page=9", "/api/v1/customers/17",
    "/api/v1/customers?per_page=5&page=2", "/api/v1/customers?per_page=6", "/api/v1/customers/1", "/api/v1/customers/2",
)


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent again and again."""

    route: str
    method: str
    target: str
    cookies: dict = field(default_factory=dict, hash=False, compare=False)
    headers: tuple = ()

    def send(self, port: int):
        return Client(port, cookies=dict(self.cookies)).request(self.method, self.target, headers=list(self.headers))


class Recorder:
    """Finds out which route each request belongs to by asking once."""

    def __init__(self, stack):
        self.stack = stack
        self.requests = []
        self._seen = set()

    def add(self, method: str, target: str, cookies=None, headers=()):
        cookies = dict(cookies or {})
        key = (method, target, tuple(sorted(cookies.items())), tuple(headers))
        if key in self._seen:
            return None
        self._seen.add(key)
        answer = Client(self.stack.port, cookies=dict(cookies)).request(method, target, headers=list(headers))
        self.requests.append(Request(answer.header("x-ficus-route") or "", method, target, cookies, tuple(headers)))
        return answer


def record(stack) -> list:
    """All requests, in the order in which they were found."""
    recorder = Recorder(stack)
    people = {email: logged_in(stack, email) for email in PEOPLE}
    tokens = {email: grant([stack], email) for email in PEOPLE}
    for client in (*people.values(), Client(stack.port)):
        crawl(recorder, client)
    for target in looking_back(stack):
        for client in people.values():
            recorder.add("GET", target, client.cookies)
    samples = one_of_each(recorder.requests)
    waiting, remembered = with_message(stack), remembered_only(stack)
    for target in samples:
        recorder.add("GET", target)
        for client in people.values():
            recorder.add("GET", target, client.cookies)
        recorder.add("HEAD", target, people[PEOPLE[0]].cookies)
        recorder.add("GET", target, waiting)
        recorder.add("GET", target, remembered)
        recorder.add("GET", target, {"session": "eyJfdXNlcl9pZCI6IjEifQ.YAAAAA." + "A" * 27})
    for email, token in tokens.items():
        for target in API:
            recorder.add("GET", target, headers=[("Authorization", f"Bearer {token}")])
    recorder.add("GET", API[0])
    for case in CASES:
        method, target = case.request_line.split(" ", 1)
        text = case.request_line + str(case.headers)
        if method not in ("GET", "HEAD") or "{{" in text.replace("{{api_token}}", ""):
            continue
        by_token = "{{api_token}}" in text
        if case.user and case.user not in people and not by_token:
            people[case.user] = logged_in(stack, case.user)
        cookies = {} if by_token or not case.user else people[case.user].cookies
        token = tokens.get(case.user, "")
        recorder.add(method, target, cookies, [(k, v.replace("{{api_token}}", token)) for k, v in case.headers])
    return [request for request in recorder.requests if request.route]


def looking_back(stack) -> list:
    """Where the demo data are: they end some time before today."""
    (last,), = stack.query("SELECT max(closed_at)::date FROM deals")
    month = f"{last:%Y-%m}"
    return [
        f"/reports/monthly?month={month}", f"/activities/calendar?month={month}", f"/activities/calendar?month={month}&who=all",
        f"/admin/audit?until={date.today()}", f"/admin/audit?since={last}", "/admin/audit?action=customer.create&page=2",
    ]


def logged_in(stack, email: str) -> Client:
    client = Client(stack.port)
    client.log_in(email)
    # Takes the login's own messages away and leaves a CSRF secret in the session.
    client.csrf_token("/customers/new")
    return client


def with_message(stack) -> dict:
    """The cookies of somebody who has just saved a customer."""
    client = logged_in(stack, "ana@example.com")
    form = {"csrf_token": client.csrf_token("/customers/new"), "name": "Möbel & Söhne", "status": "lead", "owner_id": "1"}
    assert client.post_form("/customers/new", form).status == 302
    return dict(client.cookies)


def remembered_only(stack) -> dict:
    """The cookies of somebody who comes back with a closed browser."""
    client = Client(stack.port)
    client.log_in("ana@example.com", remember=True)
    return {"remember_token": client.cookies["remember_token"]}


def shape(target: str) -> str:
    """What targets of one kind have in common: their path without numbers, the names in their query."""
    parts = urlsplit(target)
    return re.sub(r"\d+", "N", parts.path) + "?" + ",".join(sorted(name for name, _ in parse_qsl(parts.query)))


def crawl(recorder: Recorder, client: Client):
    """Follows links and tries search forms; of one kind of target only some."""
    waiting, kinds, asked = ["/", "/customers/9999", "/customers/?page=99", "/nothing"], {}, 0
    while waiting and asked < PAGES:
        target = waiting.pop(0)
        kind = shape(target)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] > ALIKE:
            continue
        answer = recorder.add("GET", target, client.cookies)
        if answer is None or "logout" in target:
            continue
        asked += 1
        if answer.status == 302:
            waiting.append(here(target, answer.header("Location")))
        if "html" in (answer.header("Content-Type") or ""):
            found = [here(target, link) for link in LINK.findall(answer.text)] + list(searches(target, answer.text))
            waiting += [link for link in found if link and link not in waiting]


def here(base: str, link: str) -> str:
    """The target of a link, if it stays on the site."""
    joined = urlsplit(urljoin(f"http://crm.test{base}", html.unescape(link or "")))
    if joined.netloc != "crm.test" or "logout" in joined.path:
        return ""
    return joined.path + (f"?{joined.query}" if joined.query else "")


def searches(base: str, text: str):
    """What a person may enter into search forms."""
    for form in GET_FORM.finditer(text):
        action = here(base, form.group(1))
        for select in SELECT.finditer(form.group()):
            values = [value for value in re.findall(r'<option value="([^"]*)"', select.group()) if value]
            for value in values if len(values) <= 6 else (values[1], values[-1]):
                yield f"{action}?{urlencode({select.group(1): html.unescape(value)})}"
        for name in re.findall(r'<input type="date" name="(\w+)"', form.group()):
            yield f"{action}?{urlencode({name: date.today().isoformat()})}"
        if 'name="q"' in form.group():
            for word in WORDS:
                yield f"{action}?{urlencode({'q': word})}"


def one_of_each(requests: list) -> list:
    """The first target of each route that answered."""
    first = {}
    for request in requests:
        first.setdefault(request.route, request.target)
    first.pop("", None)
    return list(first.values())
