"""Activities: list, due list, calendar, create and edit, done by AJAX, delete."""
import re
from datetime import datetime, timedelta

import pytest

from crm.clock import today, utcnow
from crm.models import Activity, AuditLog
from crm.months import Month


def page_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def activity_in(in_app, read, activity_id=1):
    return in_app(lambda: read(Activity.query.filter_by(id=activity_id).one()))


@pytest.fixture
def customer(make, rep):
    return make.customer(rep, name="Blühende Wiesen")


def test_the_list_filters(login, make, manager, rep, customer):
    make.activity(customer, kind="call", subject="Ring them")
    make.activity(customer, kind="task", subject="Send offer", due_at=utcnow() - timedelta(days=1))
    make.activity(customer, kind="note", subject="They like tea", done_at=utcnow())
    make.activity(make.customer(make.user("rep")), subject="Of another")
    client = login(manager)
    page = page_of(client, "/activities/")
    assert "4 activities" in page
    for query, shown, hidden in (
        ("q=ring", "Ring them", "Send offer"),
        ("q=blühende", "They like tea", "Of another"),
        ("kind=note", "They like tea", "Ring them"),
        ("state=open", "Ring them", "They like tea"),
        ("state=overdue", "Send offer", "Ring them"),
        ("state=done", "They like tea", "Ring them"),
        ("user=%d" % rep.id, "Ring them", "Of another"),
        ("kind=nonsense&state=nonsense", "Ring them", "nothing of the kind"),
    ):
        page = page_of(client, "/activities/?" + query)
        assert shown in page and hidden not in page, query


def test_the_list_has_pages(login, make, rep, customer):
    for _ in range(27):
        make.activity(customer, kind="task")
    page = page_of(login(rep), "/activities/?page=2&kind=task")
    assert page.count("data-activity=") == 2
    assert re.search(r'href="/activities/\?[^"]*kind=task', page)


def test_the_due_list_is_ones_own(login, make, rep, manager, customer):
    now = utcnow()
    make.activity(customer, subject="Late call", due_at=now - timedelta(days=3))
    make.activity(customer, subject="Soon", due_at=now + timedelta(days=3))
    make.activity(customer, subject="Far away", due_at=now + timedelta(days=40))
    make.activity(customer, subject="Finished", due_at=now, done_at=now)
    page = page_of(login(rep), "/activities/due")
    assert page.index("Overdue") < page.index("Late call") < page.index("Next two weeks") < page.index("Soon")
    assert "Far away" not in page and "Finished" not in page
    client = login(manager)
    assert "Late call" not in page_of(client, "/activities/due")
    assert "Late call" in page_of(client, "/activities/due?who=all")


def test_who_all_shows_reps_their_own_only(login, make, rep, customer):
    other = make.user("rep")
    make.activity(customer, subject="Not for the other", due_at=utcnow())
    assert "Not for the other" not in page_of(login(other), "/activities/due?who=all")


def test_the_calendar(login, make, rep, customer):
    for number in range(6):
        make.activity(customer, subject="Visit %d" % number, due_at=datetime(2024, 2, 29, 9, number))
    make.activity(customer, subject="In March", due_at=datetime(2024, 3, 3, 23, 59))
    make.activity(customer, subject="Later in March", due_at=datetime(2024, 3, 4))
    client = login(rep)
    page = page_of(client, "/activities/calendar?month=2024-02")
    assert "February 2024" in page and "January 2024" in page and "March 2024" in page
    assert "Visit 3" in page and "Visit 4" not in page and "and 2 more" in page
    assert "In March" in page and "Later in March" not in page
    for nonsense in ("", "?month=2024-13", "?month=x", "?month=0000-01"):
        assert Month.of(today()).label in page_of(client, "/activities/calendar" + nonsense)


def test_create_for_a_deal(login, make, rep, customer, in_app):
    deal = make.deal(customer, title="Barn")
    client = login(rep)
    url = "/activities/new?deal_id=%d&kind=meeting" % deal.id
    page = page_of(client, url)
    assert re.search(r'<option selected value="meeting">', page)
    assert re.search(r'<option selected value="%d">Barn' % deal.id, page)
    form = {"kind": "meeting", "subject": "Look at the barn", "due_at": "2030-05-06T14:30", "deal_id": str(deal.id), "contact_id": ""}
    answer = client.post(url, data=form)
    assert answer.headers["Location"].endswith("/deals/%d" % deal.id)
    assert activity_in(in_app, lambda a: (a.kind, a.due_at, a.done_at, a.deal_id, a.user_id)) == (
        "meeting", datetime(2030, 5, 6, 14, 30), None, deal.id, rep.id
    )
    assert "Look at the barn" in page_of(client, "/deals/%d" % deal.id)


def test_create_without_a_customer_asks_for_one(login, rep, customer):
    page = page_of(login(rep), "/activities/new?kind=task")
    assert "For which customer?" in page


def test_notes_are_done_when_they_are_written(login, rep, customer, in_app):
    form = {"kind": "note", "subject": "Tea, not coffee", "due_at": "2030-05-06T14:30", "deal_id": "", "contact_id": ""}
    answer = login(rep).post("/activities/new?customer_id=%d" % customer.id, data=form)
    assert answer.headers["Location"].endswith("/customers/%d" % customer.id)
    assert activity_in(in_app, lambda a: (a.is_done, a.due_at)) == (True, None)


@pytest.mark.parametrize("change, message", [
    ({"subject": ""}, "Enter a subject."),
    ({"kind": "dance"}, "Not a valid choice"),
    ({"due_at": "tomorrow"}, "Enter a day and a time such as"),
    ({"kind": "task", "due_at": ""}, "Say until when the task is to be done."),
    ({"deal_id": "77"}, "Not a valid choice"),
])
def test_create_reports_what_is_wrong(login, rep, customer, change, message):
    form = {"kind": "call", "subject": "S", "due_at": "2030-05-06T14:30", "deal_id": "", "contact_id": ""}
    form.update(change)
    answer = login(rep).post("/activities/new?customer_id=%d" % customer.id, data=form)
    assert answer.status_code == 200
    assert message in answer.get_data(as_text=True)


def test_edit_can_undo_done(login, make, rep, customer, in_app):
    activity = make.activity(customer, done_at=utcnow(), due_at=datetime(2030, 1, 2, 3, 4))
    client = login(rep)
    page = page_of(client, "/activities/%d/edit" % activity.id)
    assert 'value="2030-01-02T03:04"' in page
    assert re.search(r'<input checked id="done"', page)
    form = {"kind": "call", "subject": "Again", "due_at": "2030-01-02T03:04", "deal_id": "", "contact_id": ""}
    assert client.post("/activities/%d/edit" % activity.id, data=form).status_code == 302
    assert activity_in(in_app, lambda a: (a.subject, a.done_at), activity.id) == ("Again", None)


def test_done_answers_json_and_can_be_repeated(login, make, rep, customer, in_app):
    activity = make.activity(customer)
    client = login(rep)
    first = client.post("/activities/%d/done" % activity.id)
    assert first.status_code == 200
    assert first.get_json()["done"] is True
    assert re.match(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", first.get_json()["done_at"])
    assert client.post("/activities/%d/done" % activity.id).get_json() == first.get_json()
    entries = in_app(lambda: [entry.action for entry in AuditLog.query.filter_by(entity="activity")])
    assert entries == ["activity.done"]
    assert client.get("/activities/%d/done" % activity.id).status_code == 405


def test_done_takes_the_token_from_the_header(app, login, make, rep, customer, monkeypatch):
    activity = make.activity(customer)
    client = login(rep)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    url = "/activities/%d/done" % activity.id
    assert client.post(url).status_code == 400
    page = client.get("/activities/").get_data(as_text=True)
    token = re.search(r'<meta name="csrf-token" content="([^"]+)"', page).group(1)
    assert client.post(url, headers={"X-CSRFToken": token}).status_code == 200


def test_delete(login, make, rep, manager, customer, in_app):
    mine, of_manager, other = make.activity(customer), make.activity(customer, user_id=manager.id), make.activity(customer)
    client = login(rep)
    assert client.post("/activities/%d/delete" % mine.id).status_code == 302
    assert client.post("/activities/%d/delete" % of_manager.id).status_code == 403
    assert login(manager).post("/activities/%d/delete" % other.id).status_code == 302
    assert in_app(lambda: [row.id for row in Activity.query]) == [of_manager.id]


def test_reps_get_their_own_activities_only(login, make, customer):
    activity = make.activity(customer)
    deal = make.deal(customer)
    client = login(make.user("rep"))
    assert client.get("/activities/%d/edit" % activity.id).status_code == 403
    assert client.post("/activities/%d/done" % activity.id).status_code == 403
    assert client.post("/activities/%d/delete" % activity.id).status_code == 403
    assert client.get("/activities/new?customer_id=%d" % customer.id).status_code == 403
    assert client.get("/activities/new?deal_id=%d" % deal.id).status_code == 403
    assert client.get("/activities/999/edit").status_code == 404
    assert "1 activit" not in client.get("/activities/").get_data(as_text=True)
