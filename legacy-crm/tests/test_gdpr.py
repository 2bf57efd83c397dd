"""Personal data of contacts: find, export, rectify, erase; for managers and admins."""
import json
import os

import pytest

from crm.models import Activity, Attachment, AuditLog, Contact

NAME, EMAIL, PHONE = "Zoë Ångström", "zoe@example.org", "+46 1 234"
RECTIFIED = {"name": "Zoë Berg", "title": "", "email": EMAIL, "phone": PHONE, "reason": "request"}


def page_of(client, url):
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


@pytest.fixture
def customer(make, rep):
    return make.customer(rep, name="Nordic Wood", notes="Ask zoë ångström about oak.")


@pytest.fixture
def contact(make, customer):
    return make.contact(customer, name=NAME, title="Buyer", email=EMAIL, phone=PHONE)


@pytest.fixture
def story(app, make, customer, contact):
    """A deal with a file, two activities, and things of others around them."""
    deal = make.deal(customer, title="Oak", contact_id=contact.id)
    make.activity(customer, subject="Rang Zoë", body="She likes oak.", contact_id=contact.id, deal_id=deal.id)
    make.activity(customer, subject="Met", contact_id=contact.id)
    other = make.activity(customer, subject="Lunch with Zoë Ångström")
    file = make.attachment(customer, deal_id=deal.id, filename="contract.pdf", stored_name="ours1")
    kept = make.attachment(customer, filename="map.png", stored_name="ours2")
    os.makedirs(app.config["UPLOAD_DIR"], exist_ok=True)
    for row in (file, kept):
        with open(os.path.join(app.config["UPLOAD_DIR"], row.stored_name), "wb") as stored:
            stored.write(b"abc")
    return {"other": other, "file": file, "kept": kept}


def urls(contact):
    return ["/gdpr/contacts/%d/%s" % (contact.id, name) for name in ("export", "rectify", "erase")]


def test_reps_get_403(login, rep, contact):
    client = login(rep)
    for url in urls(contact) + ["/gdpr/"]:
        assert client.get(url).status_code == 403
    for url in urls(contact)[1:]:
        assert client.post(url, data={"sure": "y"}).status_code == 403
    assert "Personal data" not in page_of(client, "/customers/")


def test_missing_contacts(login, manager):
    client = login(manager)
    for name in ("export", "rectify", "erase"):
        assert client.get("/gdpr/contacts/99/%s" % name).status_code == 404


def test_find_by_name_and_by_encrypted_email(login, make, manager, customer, contact):
    make.contact(customer, name="Other Person", email="other@example.org")
    client = login(manager)
    for q in ("ångström", "ZOE@example", "zoe@example.org"):
        page = page_of(client, "/gdpr/?q=" + q)
        assert NAME in page and EMAIL in page and "Other Person" not in page, q
    assert "We have nobody like this." in page_of(client, "/gdpr/?q=nobody@example.org")


def test_export(login, manager, contact, story, in_app):
    answer = login(manager).get(urls(contact)[0])
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Content-Disposition"] == "attachment; filename=contact-%d.json" % contact.id
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.get_data(as_text=True)
    assert NAME in text
    data = json.loads(text)
    assert (data["contact"]["email"], data["contact"]["phone"], data["contact"]["works_for"]) == (EMAIL, PHONE, "Nordic Wood")
    assert [deal["title"] for deal in data["deals"]] == ["Oak"]
    assert [activity["subject"] for activity in data["activities"]] == ["Rang Zoë", "Met"]
    assert [file["filename"] for file in data["files"]] == ["contract.pdf"]
    assert in_app(lambda: AuditLog.query.filter_by(action="gdpr.export", entity_id=contact.id).count()) == 1


def test_rectify(login, manager, contact, in_app):
    client = login(manager)
    assert 'value="%s"' % EMAIL in page_of(client, urls(contact)[1])
    assert client.post(urls(contact)[1], data=RECTIFIED).status_code == 302
    assert in_app(lambda: Contact.query.one().name) == "Zoë Berg"
    entry = in_app(lambda: AuditLog.query.filter_by(action="gdpr.rectify").one())
    assert json.loads(entry.detail) == {"fields": ["name", "title"], "reason": "request"}


@pytest.mark.parametrize("change, message", [
    ({"name": ""}, "Enter a name."),
    ({"email": "zoe"}, "This is not an e-mail address."),
    ({"reason": "boredom"}, "Not a valid choice"),
])
def test_rectify_reports_what_is_wrong(login, manager, contact, in_app, change, message):
    answer = login(manager).post(urls(contact)[1], data=dict(RECTIFIED, **change))
    assert message in answer.get_data(as_text=True)
    assert in_app(lambda: Contact.query.one().name) == NAME


def test_the_erase_page_shows_what_will_happen(login, manager, contact, story):
    page = page_of(login(manager), urls(contact)[2])
    assert 'value="%d" checked' % story["file"].id in page
    assert 'value="%d" checked' % story["kept"].id not in page
    assert "Notes of Nordic Wood" in page
    assert "Lunch with Zoë Ångström" in page


def test_erase(app, login, manager, contact, story, in_app):
    client = login(manager)
    assert "Confirm this first." in client.post(urls(contact)[2], data={}).get_data(as_text=True)
    answer = client.post(urls(contact)[2], data={"sure": "y", "files": [str(story["file"].id)]})
    assert answer.status_code == 302
    row = in_app(lambda: Contact.query.one())
    assert (row.name, row.title, row.email, row.phone) == ("Erased contact", None, None, None)
    assert in_app(lambda: [(a.subject, a.body) for a in Activity.query.filter_by(contact_id=contact.id)]) == [("Erased", None)] * 2
    assert in_app(lambda: Activity.query.filter_by(id=story["other"].id).one().subject) == "Lunch with Zoë Ångström"
    assert in_app(lambda: [a.filename for a in Attachment.query]) == ["map.png"]
    assert not os.path.exists(os.path.join(app.config["UPLOAD_DIR"], "ours1"))
    assert os.path.exists(os.path.join(app.config["UPLOAD_DIR"], "ours2"))
    entry = in_app(lambda: AuditLog.query.filter_by(action="gdpr.erase").one())
    assert (entry.entity_id, json.loads(entry.detail)) == (contact.id, {"activities": 2, "files": 1})
    for secret in (NAME, EMAIL, PHONE, "contract"):
        assert in_app(lambda: AuditLog.query.filter(AuditLog.detail.contains(secret)).count()) == 0
    assert "erased already" in page_of(client, urls(contact)[2])
    assert "We have nobody like this." in page_of(client, "/gdpr/?q=ångström")


def test_files_of_other_customers_cannot_be_named(login, make, manager, rep, contact, in_app):
    foreign = make.attachment(make.customer(rep))
    answer = login(manager).post(urls(contact)[2], data={"sure": "y", "files": [str(foreign.id)]})
    assert answer.status_code == 200
    assert in_app(lambda: (Attachment.query.count(), Contact.query.one().name)) == (1, NAME)
