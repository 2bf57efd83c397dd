"""Accounts: login and its `next`, remember me, logout, registration, profile, password."""
import re

import pytest

from crm.models import AuditLog, User
from tests.factory import PASSWORD


def path_of(location):
    return re.sub(r"^http://localhost", "", location)


def log_in(client, email, password=PASSWORD, url="/auth/login", **extra):
    return client.post(url, data=dict(email=email, password=password, **extra))


def test_pages_need_a_login(client):
    answer = client.get("/customers/")
    assert answer.status_code == 302
    assert path_of(answer.headers["Location"]) == "/auth/login?next=%2Fcustomers%2F"
    page = client.get("/auth/login").get_data(as_text=True)
    assert "Please log in to access this page." in page


def test_login_leads_to_the_start_and_is_recorded(client, rep, in_app):
    answer = log_in(client, rep.email.upper())
    assert answer.status_code == 302
    assert path_of(answer.headers["Location"]) == "/"
    assert client.get("/auth/profile").status_code == 200
    assert in_app(lambda: [entry.action for entry in AuditLog.query]) == ["user.login"]
    assert in_app(lambda: User.query.one().last_login_at) is not None


@pytest.mark.parametrize("target, expected", [
    ("/customers/?q=a%20b", "/customers/?q=a%20b"),
    ("https://evil.example/", "/"),
    ("//evil.example/", "/"),
    ("/\\evil.example/", "/"),
    ("/\t/evil.example/", "/"),
    ("javascript:alert(1)", "/"),
    ("", "/"),
])
def test_next_stays_on_this_site(app, rep, target, expected):
    answer = app.test_client().post(
        "/auth/login", query_string={"next": target}, data={"email": rep.email, "password": PASSWORD}
    )
    assert path_of(answer.headers["Location"]) == expected


@pytest.mark.parametrize("email, password", [("user1@example.com", "wrong"), ("nobody@example.com", PASSWORD)])
def test_wrong_credentials_say_the_same(client, rep, email, password):
    answer = log_in(client, email, password)
    assert answer.status_code == 200
    assert "E-mail or password is wrong." in answer.get_data(as_text=True)
    assert client.get("/auth/profile").status_code == 302


def test_inactive_people_cannot_log_in(client, make):
    user = make.user(active=False)
    assert log_in(client, user.email).status_code == 200


def test_remember_me_sets_the_cookie(client, rep):
    answer = log_in(client, rep.email, remember="y")
    cookies = answer.headers.getlist("Set-Cookie")
    assert any(cookie.startswith("remember_token=%d|" % rep.id) and "HttpOnly" in cookie for cookie in cookies)


def test_logout_is_a_post(login, rep):
    client = login(rep)
    assert client.get("/auth/logout").status_code == 405
    answer = client.post("/auth/logout")
    assert path_of(answer.headers["Location"]) == "/auth/login"
    assert "You are logged out." in client.get("/auth/login").get_data(as_text=True)
    assert client.get("/auth/profile").status_code == 302


def test_register(client, in_app):
    form = {"name": " Zoë ", "email": "Zoe@Example.com", "password": "long enough", "confirm": "long enough"}
    assert client.post("/auth/register", data=form).status_code == 302
    user = in_app(lambda: User.query.one())
    assert (user.name, user.email, user.role) == ("Zoë", "zoe@example.com", "rep")
    assert user.password_hash.startswith("pbkdf2:sha256:")
    assert client.get("/auth/profile").status_code == 200


def test_register_reports_what_is_wrong(client, rep):
    form = {"name": "", "email": rep.email, "password": "short", "confirm": "other"}
    page = client.post("/auth/register", data=form).get_data(as_text=True)
    for message in (
        "Enter your name.", "This address is already registered.", "Use 8 to 128 characters.", "The two passwords differ.",
    ):
        assert message in page
    assert "This is not an e-mail address." in client.post("/auth/register", data={"email": "x"}).get_data(as_text=True)


def test_registration_can_be_closed(app, client, monkeypatch):
    monkeypatch.setitem(app.config, "REGISTRATION_OPEN", False)
    assert client.get("/auth/register").status_code == 404
    assert "Make an account" not in client.get("/auth/login").get_data(as_text=True)


def test_profile_changes_the_name(login, rep, in_app):
    client = login(rep)
    page = client.post("/auth/profile", data={"name": "Rita O'Neil"}, follow_redirects=True).get_data(as_text=True)
    assert "Your profile is saved." in page
    assert "Rita O&#39;Neil" in page


def test_change_password(login, rep):
    client = login(rep)
    form = {"current": "wrong", "password": "a new password", "confirm": "a new password"}
    assert "This is not your current password." in client.post("/auth/password", data=form).get_data(as_text=True)
    form["current"] = PASSWORD
    assert client.post("/auth/password", data=form).status_code == 302
    assert login(rep, "a new password").get("/auth/profile").status_code == 200


def test_posts_need_a_csrf_token(csrf, client, rep):
    answer = log_in(client, rep.email)
    assert answer.status_code == 400
    assert "The CSRF token is missing." in answer.get_data(as_text=True)


def test_a_csrf_token_of_the_page_is_accepted(csrf, client, rep):
    page = client.get("/auth/login").get_data(as_text=True)
    token = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page).group(1)
    assert log_in(client, rep.email, csrf_token=token).status_code == 302
