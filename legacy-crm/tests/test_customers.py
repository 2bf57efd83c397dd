"""Customers: what reps see, list, detail, forms, archive."""
import re

import pytest

from crm.models import AuditLog, Customer
from tests.test_auth import path_of


def names(page):
    return re.findall(r'<td><a href="/customers/\d+">([^<]*)</a>', page)


def form_of(**values):
    form = {"name": "Nordwind GmbH", "status": "active", "industry": "Energy"}
    form.update(values)
    return form


def test_reps_see_their_own(login, make, rep, manager):
    make.customer(rep, name="Mine")
    make.customer(manager, name="Theirs")
    assert names(login(rep).get("/customers/").get_data(as_text=True)) == ["Mine"]
    assert names(login(manager).get("/customers/").get_data(as_text=True)) == ["Mine", "Theirs"]


def test_others_customers_are_forbidden_and_missing_ones_not_found(login, make, rep, manager):
    theirs = make.customer(manager)
    client = login(rep)
    for method, path in (("get", ""), ("get", "/edit"), ("post", "/edit"), ("post", "/archive"), ("get", "/contacts/new")):
        assert getattr(client, method)("/customers/%d%s" % (theirs.id, path)).status_code == 403
        assert getattr(client, method)("/customers/9999%s" % path).status_code == 404
    assert "Not yours" in client.get("/customers/%d" % theirs.id).get_data(as_text=True)


# The database collates by code point: Á comes after Z.
@pytest.mark.parametrize("query, expected", [
    ("", ["Beta", "Zeta &amp; Söhne", "Ábaco"]),
    ("?q=zeta", ["Zeta &amp; Söhne"]),
    ("?q=%26", ["Zeta &amp; Söhne"]),
    ("?q=%25", []),
    ("?q=LISB", ["Ábaco"]),
    ("?status=lead", ["Beta"]),
    ("?status=archived", ["Gone"]),
    ("?status=nonsense", ["Beta", "Zeta &amp; Söhne", "Ábaco"]),
    ("?industry=Energy", ["Ábaco"]),
    ("?sort=name&dir=desc", ["Ábaco", "Zeta &amp; Söhne", "Beta"]),
    ("?sort=revenue&dir=desc", ["Beta", "Zeta &amp; Söhne", "Ábaco"]),
    ("?sort=revenue", ["Ábaco", "Zeta &amp; Söhne", "Beta"]),
    ("?sort=nonsense&page=x&unknown=1", ["Beta", "Zeta &amp; Söhne", "Ábaco"]),
])
def test_list_filters_and_sorts(login, make, rep, query, expected):
    make.customer(rep, name="Zeta & Söhne", annual_revenue=20)
    make.customer(rep, name="Beta", status="lead")
    make.customer(rep, name="Ábaco", city="Lisboa", industry="Energy", annual_revenue=10)
    make.customer(rep, name="Gone", status="archived")
    found = names(login(rep).get("/customers/" + query).get_data(as_text=True))
    assert found == expected


def test_list_shows_counts_and_totals(login, make, rep):
    customer = make.customer(rep)
    make.contact(customer)
    make.contact(customer)
    make.deal(customer, amount="1234.50")
    make.deal(customer, amount="1000", stage_id=4)
    make.deal(customer, amount="9999", stage_id=5)
    page = login(rep).get("/customers/").get_data(as_text=True)
    assert '<td class="num">2</td>' in page
    assert "€2,234.50" in page


def test_list_has_pages_that_keep_the_filter(login, make, rep):
    for number in range(30):
        make.customer(rep, name="Firm %02d" % number)
    client = login(rep)
    first = client.get("/customers/?q=firm").get_data(as_text=True)
    assert len(names(first)) == 25
    assert "30 customers" in first
    assert re.search(r'href="/customers/\?(page=2&amp;q=firm|q=firm&amp;page=2)" rel="next"', first)
    assert len(names(client.get("/customers/?q=firm&page=2").get_data(as_text=True))) == 5
    assert client.get("/customers/?page=3").status_code == 404
    assert client.get("/customers/?page=0").status_code == 404


def test_owner_filter_is_for_managers(login, make, rep, manager):
    make.customer(rep, name="Mine")
    make.customer(manager, name="Theirs")
    page = login(manager).get("/customers/?owner=%d" % rep.id).get_data(as_text=True)
    assert names(page) == ["Mine"]
    assert 'name="owner"' in page
    page = login(rep).get("/customers/?owner=%d" % manager.id).get_data(as_text=True)
    assert names(page) == []
    assert 'name="owner"' not in page


def test_detail_shows_everything_escaped(login, make, rep):
    customer = make.customer(rep, name="A/B \"Q\" & <Co> O'Hara", notes="one\n<two>", website="https://a.example/?x=1&y=2")
    make.contact(customer, name="Zoë", email="zoe@example.com", phone="+41 44 1")
    make.deal(customer, title="Big <deal>", amount="10.5")
    make.activity(customer, subject="Call back", body="soon")
    page = login(rep).get("/customers/%d" % customer.id).get_data(as_text=True)
    for text in (
        "A/B &#34;Q&#34; &amp; &lt;Co&gt; O&#39;Hara", "&lt;two&gt;", "https://a.example/?x=1&amp;y=2", "zoe@example.com",
        "Big &lt;deal&gt;", "€10.50", "Call back",
    ):
        assert text in page


def test_create(login, rep, in_app):
    client = login(rep)
    form = form_of(name="  Nordwind GmbH ", website="https://nordwind.example/x", annual_revenue=" 1200.5 ", notes="")
    answer = client.post("/customers/new", data=form)
    assert path_of(answer.headers["Location"]) == "/customers/1"
    assert "Nordwind GmbH is saved." in client.get("/customers/1").get_data(as_text=True)
    customer = in_app(lambda: Customer.query.one())
    assert (customer.name, customer.owner_id, str(customer.annual_revenue)) == ("Nordwind GmbH", rep.id, "1200.50")
    assert (customer.notes, customer.city, customer.archived_at) == (None, None, None)
    entry = in_app(lambda: AuditLog.query.filter_by(action="customer.create").one())
    assert (entry.user_id, entry.entity_id, entry.detail) == (rep.id, 1, '{"name": "Nordwind GmbH"}')


@pytest.mark.parametrize("values, message", [
    ({"name": " "}, "Enter a name."),
    ({"name": "x" * 121}, "Use at most 120 characters."),
    ({"website": "javascript://x.y"}, "Enter a full address, such as https://www.example.com."),
    ({"website": "https://x.example/" + "x" * 200}, "Use at most 200 characters."),
    ({"phone": "call me"}, "Use digits, spaces and + ( ) / . - only."),
    ({"annual_revenue": "many"}, "Enter an amount such as 1200 or 99.50."),
    ({"annual_revenue": "NaN"}, "Enter an amount such as 1200 or 99.50."),
    ({"annual_revenue": "-1"}, "Enter an amount between 0 and 999,999,999,999."),
    ({"annual_revenue": "1000000000000"}, "Enter an amount between 0 and 999,999,999,999."),
    ({"status": "archived"}, "Not a valid choice"),
    ({"industry": "Piracy"}, "Not a valid choice"),
])
def test_create_reports_what_is_wrong(login, rep, in_app, values, message):
    answer = login(rep).post("/customers/new", data=form_of(**values))
    assert answer.status_code == 200
    page = answer.get_data(as_text=True)
    assert message in page
    assert page.count("field-bad") == 1
    assert in_app(lambda: Customer.query.count()) == 0


def test_reps_cannot_choose_the_owner(login, rep, manager, in_app):
    client = login(rep)
    assert "owner_id" not in client.get("/customers/new").get_data(as_text=True)
    assert client.post("/customers/new", data=form_of(owner_id=manager.id)).status_code == 200
    assert in_app(lambda: Customer.query.count()) == 0
    assert login(manager).post("/customers/new", data=form_of(owner_id=rep.id)).status_code == 302
    assert in_app(lambda: Customer.query.one().owner_id) == rep.id


def test_edit(login, make, rep, in_app):
    customer = make.customer(rep, city="Bern", annual_revenue="10.00")
    client = login(rep)
    page = client.get("/customers/%d/edit" % customer.id).get_data(as_text=True)
    assert 'value="Bern"' in page and 'value="10.00"' in page
    assert client.post("/customers/%d/edit" % customer.id, data=form_of(city="Basel")).status_code == 302
    changed = in_app(lambda: Customer.query.one())
    assert (changed.city, changed.annual_revenue, changed.industry) == ("Basel", None, "Energy")
    assert changed.updated_at > customer.updated_at


def test_edit_keeps_an_owner_who_left(login, make, manager, in_app):
    gone = make.user(active=False)
    customer = make.customer(gone)
    client = login(manager)
    page = client.get("/customers/%d/edit" % customer.id).get_data(as_text=True)
    assert '<option selected value="%d">' % gone.id in page
    client.post("/customers/%d/edit" % customer.id, data=form_of(owner_id=gone.id))
    assert in_app(lambda: Customer.query.one().owner_id) == gone.id


def test_archive_and_bring_back(login, make, rep, in_app):
    customer = make.customer(rep)
    client = login(rep)
    assert client.get("/customers/%d/archive" % customer.id).status_code == 405
    assert client.post("/customers/%d/archive" % customer.id).status_code == 302
    assert in_app(lambda: Customer.query.one().status) == "archived"
    assert in_app(lambda: Customer.query.one().is_archived)
    assert "Saving brings it back" in client.get("/customers/%d/edit" % customer.id).get_data(as_text=True)
    client.post("/customers/%d/edit" % customer.id, data=form_of())
    assert not in_app(lambda: Customer.query.one().is_archived)


def test_start_page_leads_somewhere(login, rep):
    answer = login(rep).get("/", follow_redirects=True)
    assert answer.status_code == 200
