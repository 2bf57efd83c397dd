"""Deals: board, create and edit, the way through the stages, forecast."""
from datetime import timedelta
from decimal import Decimal

import pytest

from crm.clock import today, utcnow
from crm.models import AuditLog, Deal
from crm.months import Month


def page_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def deal_in(in_app, deal_id, read):
    return in_app(lambda: read(Deal.query.filter_by(id=deal_id).one()))


def actions(in_app, entity="deal"):
    return in_app(lambda: [entry.action for entry in AuditLog.query.filter_by(entity=entity).order_by(AuditLog.id)])


@pytest.fixture
def customer(make, rep):
    return make.customer(rep, name="Blühende Wiesen")


def test_the_board_has_a_column_per_stage(login, make, rep, customer):
    make.deal(customer, title="Tractors & more", amount=Decimal("1234.50"), stage_id=3)
    make.deal(customer, title="Won lately", stage_id=5, closed_at=utcnow())
    make.deal(customer, title="Won long ago", stage_id=5, closed_at=utcnow() - timedelta(days=90))
    page = page_of(login(rep), "/deals/")
    for stage in ("Qualified", "Contacted", "Proposal", "Negotiation", "Won", "Lost"):
        assert 'aria-label="%s"' % stage in page
    assert "Tractors &amp; more" in page
    assert "€1,234.50" in page
    assert "Won lately" in page
    assert "Won long ago" not in page


def test_the_board_shows_the_first_cards_and_counts_the_rest(login, make, rep, customer):
    for _ in range(28):
        make.deal(customer)
    page = page_of(login(rep), "/deals/")
    assert page.count('class="deal"') == 25
    assert '<span class="count">28</span>' in page
    assert "and 3 more" in page


def test_reps_see_their_own_deals_only(login, make, rep, manager, customer):
    other = make.user("rep")
    make.deal(customer, title="Mine to sell")
    theirs = make.deal(make.customer(other), title="Not mine")
    page = page_of(login(rep), "/deals/")
    assert "Mine to sell" in page
    assert "Not mine" not in page
    client = login(rep)
    for url in ("/deals/%d", "/deals/%d/edit"):
        assert client.get(url % theirs.id).status_code == 403
    for url in ("/deals/%d/stage", "/deals/%d/win", "/deals/%d/lose"):
        assert client.post(url % theirs.id, data={"stage_id": "2", "reason": "x"}).status_code == 403
    assert client.get("/deals/999").status_code == 404
    page = page_of(login(manager), "/deals/")
    assert "Mine to sell" in page and "Not mine" in page


def test_the_board_can_be_searched(login, make, manager, rep, customer):
    make.deal(customer, title="100% wool")
    make.deal(customer, title="1000 sheep")
    other = make.user("rep")
    make.deal(make.customer(other), title="Goats")
    client = login(manager)
    page = page_of(client, "/deals/?q=100%25")
    assert "100% wool" in page and "1000 sheep" not in page
    assert "1000 sheep" in page_of(client, "/deals/?q=blühende")
    page = page_of(client, "/deals/?owner=%d" % other.id)
    assert "Goats" in page and "wool" not in page


def test_a_new_deal_asks_for_its_customer_first(login, make, rep, customer):
    make.customer(make.user("rep"), name="Somebody else's")
    page = page_of(login(rep), "/deals/new")
    assert "Blühende Wiesen" in page
    assert "Somebody else" not in page


def test_create(login, make, rep, customer, in_app):
    contact = make.contact(customer)
    client = login(rep)
    url = "/deals/new?customer_id=%d" % customer.id
    assert "New deal" in page_of(client, url)
    form = {
        "title": " Greenhouse ", "amount": "12500.5", "expected_close": "2031-02-28", "stage_id": "2",
        "contact_id": str(contact.id), "owner_id": str(rep.id),
    }
    answer = client.post(url, data=form)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/deals/1")
    deal = deal_in(in_app, 1, lambda deal: (deal.title, deal.amount, str(deal.expected_close), deal.stage.name, deal.contact_id))
    assert deal == ("Greenhouse", Decimal("12500.50"), "2031-02-28", "Contacted", contact.id)
    assert "Greenhouse is saved." in page_of(client, "/deals/1")
    assert actions(in_app) == ["deal.create"]


@pytest.mark.parametrize("field, value, message", [
    ("title", " ", "Enter a title."),
    ("title", "x" * 161, "Use at most 160 characters."),
    ("amount", "", "Enter an amount."),
    ("amount", "-1", "Enter an amount between 0 and 9,999,999,999."),
    ("amount", "NaN", "Enter an amount such as"),
    ("expected_close", "31.12.2030", "Enter a date such as 2020-03-31."),
    ("stage_id", "5", "Not a valid choice"),
    ("contact_id", "999", "Not a valid choice"),
    ("owner_id", "999", "Not a valid choice"),
])
def test_create_reports_what_is_wrong(login, manager, rep, customer, in_app, field, value, message):
    form = {"title": "T", "amount": "1", "stage_id": "1", "contact_id": "", "owner_id": str(rep.id)}
    form[field] = value
    answer = login(manager).post("/deals/new?customer_id=%d" % customer.id, data=form)
    assert answer.status_code == 200
    assert message in answer.get_data(as_text=True)
    assert in_app(lambda: Deal.query.count()) == 0


def test_edit_keeps_the_stage(login, make, rep, customer, in_app):
    deal = make.deal(customer, stage_id=3)
    client = login(rep)
    assert 'value="1000.00"' in page_of(client, "/deals/%d/edit" % deal.id)
    form = {"title": "Better", "amount": "2000", "expected_close": "", "contact_id": "", "owner_id": str(rep.id), "stage_id": "1"}
    assert client.post("/deals/%d/edit" % deal.id, data=form).status_code == 302
    result = deal_in(in_app, deal.id, lambda deal: (deal.title, deal.amount, deal.expected_close, deal.stage_id))
    assert result == ("Better", Decimal("2000.00"), None, 3)


def test_move_and_reopen(login, make, rep, customer, in_app):
    deal = make.deal(customer, stage_id=1)
    client = login(rep)
    answer = client.post("/deals/%d/stage" % deal.id, data={"stage_id": "4", "back": "board"})
    assert answer.headers["Location"].endswith("/deals/")
    assert deal_in(in_app, deal.id, lambda deal: deal.stage.name) == "Negotiation"
    client.post("/deals/%d/lose" % deal.id, data={"reason": "Too dear"})
    client.post("/deals/%d/stage" % deal.id, data={"stage_id": "2"})
    result = deal_in(in_app, deal.id, lambda deal: (deal.status, deal.closed_at, deal.lost_reason))
    assert result == ("open", None, None)
    assert actions(in_app) == ["deal.move", "deal.lost", "deal.reopen"]
    for stage_id in ("5", "99", "x"):
        assert client.post("/deals/%d/stage" % deal.id, data={"stage_id": stage_id}).status_code == 400
    assert client.get("/deals/%d/stage" % deal.id).status_code == 405


def test_win(login, make, rep, customer, in_app):
    deal = make.deal(customer)
    client = login(rep)
    page = client.post("/deals/%d/win" % deal.id, follow_redirects=True).get_data(as_text=True)
    assert "Deal 3 is won." in page
    assert deal_in(in_app, deal.id, lambda deal: (deal.status, deal.closed_at is not None)) == ("won", True)
    page = client.post("/deals/%d/lose" % deal.id, data={"reason": "x"}, follow_redirects=True).get_data(as_text=True)
    assert "is closed already." in page
    assert deal_in(in_app, deal.id, lambda deal: deal.status) == "won"


def test_a_loss_needs_a_reason(login, make, rep, customer, in_app):
    deal = make.deal(customer)
    client = login(rep)
    page = client.post("/deals/%d/lose" % deal.id, follow_redirects=True).get_data(as_text=True)
    assert "Say why it was lost." in page
    assert deal_in(in_app, deal.id, lambda deal: deal.status) == "open"
    client.post("/deals/%d/lose" % deal.id, data={"reason": "Too <late>"})
    page = page_of(client, "/deals/%d" % deal.id)
    assert "Too &lt;late&gt;" in page


def test_forecast(login, make, rep, customer):
    month = Month.of(today())
    make.deal(customer, amount=Decimal("1000"), stage_id=3, expected_close=month.next.first_day)
    make.deal(customer, amount=Decimal("500"), stage_id=1, expected_close=month.next.first_day)
    make.deal(customer, amount=Decimal("70"), stage_id=4, expected_close=None)
    make.deal(customer, amount=Decimal("80"), stage_id=4, expected_close=month.previous.first_day)
    make.deal(customer, amount=Decimal("9000"), stage_id=5, closed_at=utcnow())
    make.deal(make.customer(make.user("rep")), amount=Decimal("7777"))
    page = page_of(login(rep), "/deals/forecast")
    assert month.next.label in page
    for text in ("€1,500.00", "€550.00", "No date", "Overdue", "€1,650.00"):
        assert text in page
    assert "7,777" not in page and "9,000" not in page
    assert "Later" not in page


def test_the_forecast_of_nothing(login, rep):
    assert "€0.00" in page_of(login(rep), "/deals/forecast")


def test_forms_need_a_token(csrf, login, make, rep, customer, app, monkeypatch):
    deal = make.deal(customer)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    client = login(rep)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    assert client.post("/deals/%d/win" % deal.id).status_code == 400
