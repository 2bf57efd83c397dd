"""Reports: what the numbers say, who sees which, and what the cache keeps apart."""
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from crm.clock import today, utcnow
from crm.extensions import cache
from crm.months import Month


def page_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@pytest.fixture(autouse=True)
def cached(app, monkeypatch):
    monkeypatch.setitem(app.config, "REPORT_CACHE_SECONDS", 60)


@pytest.fixture
def customer(make, rep):
    return make.customer(rep, name="Blühende Wiesen")


def test_the_dashboard_of_nothing(login, rep):
    page = page_of(login(rep), "/reports/")
    assert "€0.00" in page
    assert "Nothing happened yet." in page
    assert "No open deals yet." in page


def test_the_dashboard_adds_up(login, make, rep, customer):
    make.deal(customer, amount=Decimal("1000"), stage_id=3)
    make.deal(customer, amount=Decimal("500"), stage_id=1)
    make.deal(customer, amount=Decimal("250"), stage_id=5, closed_at=utcnow())
    make.deal(customer, amount=Decimal("99"), stage_id=5, closed_at=utcnow() - timedelta(days=70))
    make.activity(customer, subject="Ring them", due_at=utcnow() - timedelta(hours=1))
    page = page_of(login(rep), "/reports/")
    for text in ("€1,500.00", "€550.00", "€250.00", "Ring them", "Blühende Wiesen", "1 activities"):
        assert text in page


def test_reps_see_numbers_of_their_own_customers(login, make, rep, manager, customer):
    make.deal(customer, amount=Decimal("1000"))
    other = make.user("rep", name="Other Rep")
    make.deal(make.customer(other, name="Hidden Corp"), amount=Decimal("7777"))
    page = page_of(login(rep), "/reports/")
    assert "€1,000.00" in page
    assert "Hidden Corp" not in page and "7,777" not in page and "Other Rep" not in page
    page = page_of(login(other), "/reports/")
    assert "€7,777.00" in page and "Blühende" not in page
    page = page_of(login(manager), "/reports/")
    assert "€8,777.00" in page and "Hidden Corp" in page and "Other Rep" in page


def test_numbers_are_cached_until_they_are_refreshed(login, make, rep, customer):
    client = login(rep)
    make.deal(customer, amount=Decimal("1000"))
    assert "€1,000.00" in page_of(client, "/reports/")
    make.deal(customer, amount=Decimal("500"))
    assert "€1,500.00" not in page_of(client, "/reports/")
    assert "€1,500.00" in page_of(client, "/reports/?fresh=1")
    assert "€1,500.00" in page_of(client, "/reports/")


def test_managers_and_admins_share_the_cached_numbers(login, make, manager, admin, customer):
    make.deal(customer, amount=Decimal("1000"))
    page_of(login(manager), "/reports/")
    make.deal(customer, amount=Decimal("500"))
    page = page_of(login(admin), "/reports/")
    assert "€1,500.00" not in page
    # The numbers are shared, the page is not.
    assert "Hello, %s" % admin.name in page


def test_messages_are_never_cached(login, make, rep, customer):
    client = login(rep)
    client.post("/auth/profile", data={"name": "Rita"})
    assert "Your profile is saved." in page_of(client, "/reports/")
    assert "Your profile is saved." not in page_of(client, "/reports/")


def test_without_a_cache(app, login, make, rep, customer, monkeypatch):
    monkeypatch.setitem(app.config, "REPORT_CACHE_SECONDS", 0)
    client = login(rep)
    page_of(client, "/reports/")
    make.deal(customer, amount=Decimal("1000"))
    assert "€1,000.00" in page_of(client, "/reports/")


def test_the_cached_report_is_plain_data(app, login, make, rep, customer):
    make.deal(customer)
    page_of(login(rep), "/reports/")
    with app.app_context():
        report = cache.get("report-dashboard-user-%d" % rep.id)
    assert report["tiles"]["open_count"] == 1


def test_the_monthly_report(login, make, rep, customer):
    start = datetime(2024, 2, 1)
    make.deal(customer, title="Barn", amount=Decimal("300"), stage_id=5, created_at=start, closed_at=datetime(2024, 2, 11))
    make.deal(customer, amount=Decimal("20"), stage_id=6, created_at=start, closed_at=datetime(2024, 2, 29, 23, 59), lost_reason="Too dear")
    make.deal(customer, amount=Decimal("7"), stage_id=6, closed_at=datetime(2024, 2, 3), lost_reason="")
    make.deal(customer, title="March", amount=Decimal("9000"), stage_id=5, closed_at=datetime(2024, 3, 1))
    make.activity(customer, kind="meeting", created_at=datetime(2024, 2, 5))
    make.customer(rep, created_at=datetime(2024, 2, 20))
    page = page_of(login(rep), "/reports/monthly?month=2024-02")
    for text in ("February 2024", "€300.00", "€27.00", "Barn", "Too dear", "No reason given", rep.name):
        assert text in page
    assert "9,000" not in page
    assert '<td class="num">10</td>' in page
    assert "€300.00" not in page_of(login(make.user("rep")), "/reports/monthly?month=2024-02")


def test_months_are_cached_apart(login, make, rep, customer):
    make.deal(customer, title="Barn", stage_id=5, closed_at=datetime(2024, 2, 11))
    client = login(rep)
    assert "Barn" not in page_of(client, "/reports/monthly?month=2024-01")
    assert "Barn" in page_of(client, "/reports/monthly?month=2024-02")


@pytest.mark.parametrize("query", ["", "?month=", "?month=2024-00", "?month=2024-1", "?month=abc", "?month=0001-01"])
def test_without_a_good_month_it_is_this_one(login, rep, query):
    assert Month.of(today()).label in page_of(login(rep), "/reports/monthly" + query)


def test_the_start_page_is_the_dashboard(login, rep):
    answer = login(rep).get("/")
    assert answer.headers["Location"].endswith("/reports/")
