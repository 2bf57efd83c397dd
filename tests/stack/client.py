"""A browser without a screen: keeps cookies, finds CSRF tokens, follows nothing by itself."""

import html
import http.client
import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.parse import urlencode

TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"|name="csrf-token" content="([^"]+)"')


@dataclass
class Answer:
    """One response, whole."""

    status: int
    reason: str
    headers: list
    body: bytes

    def header(self, name: str):
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def headers_named(self, name: str) -> list:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass
class Client:
    """Sends requests to 127.0.0.1:port with a cookie jar of its own."""

    port: int
    host: str = "crm.test"
    cookies: dict = field(default_factory=dict)

    def request(self, method: str, target: str, body: bytes = b"", headers=()) -> Answer:
        """Sends one request on a connection of its own and remembers the cookies of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host)
            if self.cookies:
                connection.putheader("Cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()))
            for name, value in headers:
                connection.putheader(name, value)
            if body:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            answer = Answer(response.status, response.reason, response.getheaders(), response.read())
        finally:
            connection.close()
        self._remember(answer)
        return answer

    def get(self, target: str, headers=()) -> Answer:
        return self.request("GET", target, headers=headers)

    def post_form(self, target: str, fields: dict, headers=()) -> Answer:
        """Posts a form as a browser does."""
        body = urlencode(fields).encode()
        form = ("Content-Type", "application/x-www-form-urlencoded")
        return self.request("POST", target, body, [form, *headers])

    def csrf_token(self, page: str) -> str:
        """The CSRF token that `page` shows."""
        answer = self.get(page)
        found = TOKEN.search(answer.text)
        assert found, f"{page} ({answer.status}) shows no CSRF token"
        return html.unescape(found.group(1) or found.group(2))

    def log_in(self, email: str, password: str = "demo", remember: bool = False) -> Answer:
        """Logs in through the login page."""
        fields = {"csrf_token": self.csrf_token("/auth/login"), "email": email, "password": password}
        if remember:
            fields["remember"] = "y"
        answer = self.post_form("/auth/login", fields)
        assert answer.status == 302, f"login of {email} answered {answer.status}"
        return answer

    def _remember(self, answer: Answer):
        for line in answer.headers_named("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0" or not morsel.value:
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
