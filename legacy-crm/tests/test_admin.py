"""Administration: people and roles, audit log, API tokens; nobody but admins."""
import json
import re
from datetime import datetime

import pytest

from crm.extensions import db
from crm.models import ApiToken, AuditLog, Customer, Deal, User

PAGES = ("/admin/users", "/admin/users/new", "/admin/users/1/edit", "/admin/audit", "/admin/tokens")
POSTS = ("/admin/users/1/deactivate", "/admin/tokens/1/revoke")


def page_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def user_in(in_app, user_id, read):
    return in_app(lambda: read(User.query.filter_by(id=user_id).one()))


def log(in_app):
    """What was logged, but for the logins."""
    return in_app(lambda: [
        (entry.action, json.loads(entry.detail or "{}"))
        for entry in AuditLog.query.filter(AuditLog.action != "user.login").order_by(AuditLog.id)
    ])


@pytest.mark.parametrize("role", ["rep", "manager"])
def test_others_get_403(login, make, role):
    client = login(make.user(role))
    for url in PAGES:
        answer = client.get(url)
        assert answer.status_code == 403
        assert "Not yours" in answer.get_data(as_text=True)
    for url in POSTS:
        assert client.post(url).status_code == 403
    assert "Admin</a>" not in page_of(client, "/customers/")


def test_strangers_are_sent_to_the_login(client):
    for url in PAGES:
        assert "/auth/login?next=" in client.get(url).headers["Location"]


def test_the_list_of_people(login, make, admin, rep):
    make.customer(rep)
    make.user("rep", name="Gone Girl", active=False)
    client = login(admin)
    page = page_of(client, "/admin/users")
    assert rep.email in page and "Gone Girl" in page and "Inactive" in page
    assert "3 people" in page
    page = page_of(client, "/admin/users?role=admin")
    assert admin.email in page and rep.email not in page


def test_create_a_person(login, admin, in_app):
    form = {"name": "Nora", "email": "Nora@Example.com", "role": "manager", "password": "a long password"}
    client = login(admin)
    assert client.post("/admin/users/new", data=form).status_code == 302
    assert user_in(in_app, 2, lambda user: (user.email, user.role, user.active)) == ("nora@example.com", "manager", True)
    assert log(in_app) == [("user.create", {"role": "manager"})]
    nora = user_in(in_app, 2, lambda user: user)
    assert login(nora, "a long password").get("/admin/users").status_code == 403


@pytest.mark.parametrize("change, message", [
    ({"name": ""}, "Enter a name."),
    ({"email": "nora"}, "This is not an e-mail address."),
    ({"email": "USER1@example.com"}, "This address is already registered."),
    ({"role": "king"}, "Not a valid choice"),
    ({"password": "short"}, "Use 8 to 128 characters."),
])
def test_create_reports_what_is_wrong(login, admin, change, message):
    form = {"name": "Nora", "email": "nora@example.com", "role": "rep", "password": "a long password"}
    form.update(change)
    assert message in login(admin).post("/admin/users/new", data=form).get_data(as_text=True)


def test_a_new_role_counts_at_once(login, admin, rep, in_app):
    client = login(rep)
    assert client.get("/gdpr/").status_code == 403
    form = {"name": rep.name, "role": "manager", "active": "y"}
    assert login(admin).post("/admin/users/%d/edit" % rep.id, data=form).status_code == 302
    assert client.get("/gdpr/").status_code == 200
    (action, detail), = log(in_app)
    assert (action, detail["before"]["role"], detail["after"]["role"]) == ("user.edit", "rep", "manager")


def test_admins_cannot_lock_themselves_out(login, admin, in_app):
    client = login(admin)
    page = page_of(client, "/admin/users/%d/edit" % admin.id)
    assert 'name="role"' not in page and "Somebody leaves" not in page
    client.post("/admin/users/%d/edit" % admin.id, data={"name": "Ana", "role": "rep"})
    assert user_in(in_app, admin.id, lambda user: (user.name, user.role, user.active)) == ("Ana", "admin", True)
    assert client.post("/admin/users/%d/deactivate" % admin.id, data={"successor_id": ""}).status_code == 400


def test_deactivate_hands_over(login, make, admin, rep, in_app):
    successor = make.user("rep")
    customer = make.customer(rep)
    open_deal, won_deal = make.deal(customer), make.deal(customer, stage_id=5)
    leaving = login(rep)
    page = page_of(login(admin), "/admin/users/%d/edit" % rep.id)
    assert "1 customer<" in page and "Somebody leaves" in page
    answer = login(admin).post("/admin/users/%d/deactivate" % rep.id, data={"successor_id": str(successor.id)})
    assert answer.status_code == 302
    assert in_app(lambda: Customer.query.one().owner_id) == successor.id
    owners = in_app(lambda: {deal.id: deal.owner_id for deal in Deal.query})
    assert owners == {open_deal.id: successor.id, won_deal.id: rep.id}
    assert leaving.get("/customers/").status_code == 302
    assert log(in_app) == [("user.deactivate", {"successor_id": successor.id, "customers": 1, "deals": 1})]
    assert login(admin).post("/admin/users/999/deactivate").status_code == 404


def test_deactivate_without_a_successor(login, make, admin, rep, in_app):
    make.customer(rep)
    client = login(admin)
    assert client.post("/admin/users/%d/deactivate" % rep.id, data={"successor_id": "77"}).status_code == 400
    assert client.post("/admin/users/%d/deactivate" % rep.id, data={"successor_id": ""}).status_code == 302
    assert in_app(lambda: Customer.query.one().owner_id) == rep.id
    assert user_in(in_app, rep.id, lambda user: user.active) is False


@pytest.fixture
def entries(in_app, admin, rep):
    def add():
        for number in range(60):
            db.session.add(AuditLog(
                user_id=rep.id, action="customer.edit", entity="customer", entity_id=number,
                detail='{"name": "ACME %d"}' % number, ip="192.0.2.7", created_at=datetime(2024, 2, 10),
            ))
        db.session.add(AuditLog(action="webhook.lead", entity="customer", entity_id=5, created_at=datetime(2024, 2, 29, 23, 59)))
        db.session.commit()
    in_app(add)


def test_the_audit_log_has_filters_and_pages(login, admin, rep, entries):
    client = login(admin)
    page = page_of(client, "/admin/audit")
    assert "62 entries" in page and "webhook.lead" in page and "name: ACME 59" in page and "192.0.2.7" in page
    assert "name: ACME 3<" in page_of(client, "/admin/audit?page=2")
    for query, count in (
        ("user=%d" % rep.id, "60 entries"),
        ("action=webhook.lead", "1 entry"),
        ("entity=customer&id=5", "2 entries"),
        ("since=2024-02-11&until=2024-02-29", "1 entry"),
        ("until=2024-02-10", "60 entries"),
        ("since=nonsense&user=x&id=y", "62 entries"),
    ):
        assert count in page_of(client, "/admin/audit?" + query), query
    page = page_of(client, "/admin/audit?user=%d" % rep.id)
    assert re.search(r'href="/admin/audit\?[^"]*user=%d' % rep.id, page)
    assert "No entry matches." in page_of(client, "/admin/audit?action=nothing")


def test_a_token_is_shown_once_and_works_until_it_is_revoked(login, admin, rep, in_app):
    client = login(admin)
    answer = client.post("/admin/tokens", data={"name": "Nightly export", "user_id": str(rep.id)})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    token = re.search(r'<code class="token">([^<]+)</code>', answer.get_data(as_text=True)).group(1)
    assert in_app(lambda: ApiToken.user_for(token).id) == rep.id
    page = page_of(client, "/admin/tokens")
    assert "Nightly export" in page and token not in page
    assert client.post("/admin/tokens/1/revoke").status_code == 302
    assert in_app(lambda: ApiToken.user_for(token)) is None
    assert "revoked" in page_of(client, "/admin/tokens")
    client.post("/admin/tokens/1/revoke")
    assert [action for action, _ in log(in_app)] == ["token.create", "token.revoke"]
    assert token not in json.dumps(log(in_app))
    assert client.post("/admin/tokens/99/revoke").status_code == 404


def test_a_token_needs_a_purpose_and_an_active_person(login, make, admin, in_app):
    gone = make.user(active=False)
    page = login(admin).post("/admin/tokens", data={"name": "", "user_id": str(gone.id)}).get_data(as_text=True)
    assert "Say what the token is for." in page and "Not a valid choice" in page
    assert in_app(lambda: ApiToken.query.count()) == 0
