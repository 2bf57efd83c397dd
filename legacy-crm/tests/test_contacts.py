"""Contacts: forms, encryption at rest, deletion."""
from crm.extensions import db
from crm.models import Activity, AuditLog, Contact


def test_create_encrypts(login, make, rep, in_app):
    customer = make.customer(rep)
    client = login(rep)
    form = {"name": "Zoë Ångström", "title": "CEO", "email": "zoe@example.com", "phone": "+46 8 123"}
    assert client.post("/customers/%d/contacts/new" % customer.id, data=form).status_code == 302
    stored = in_app(lambda: tuple(db.session.execute(db.text("SELECT email, phone FROM contacts")).fetchone()))
    assert all(token.startswith("gAAAAA") for token in stored)
    contact = in_app(lambda: Contact.query.one())
    assert (contact.name, contact.email, contact.phone) == ("Zoë Ångström", "zoe@example.com", "+46 8 123")
    page = client.get("/customers/%d" % customer.id).get_data(as_text=True)
    assert "mailto:zoe@example.com" in page
    detail = in_app(lambda: AuditLog.query.filter_by(action="contact.create").one().detail)
    assert "example.com" not in detail


def test_empty_values_stay_null(login, make, rep, in_app):
    customer = make.customer(rep)
    login(rep).post("/customers/%d/contacts/new" % customer.id, data={"name": "A", "email": " ", "phone": ""})
    assert in_app(lambda: tuple(db.session.execute(db.text("SELECT email, phone FROM contacts")).fetchone())) == (None, None)


def test_bad_values_are_reported(login, make, rep, in_app):
    customer = make.customer(rep)
    form = {"name": "", "email": "nobody", "phone": "x"}
    page = login(rep).post("/customers/%d/contacts/new" % customer.id, data=form).get_data(as_text=True)
    for message in ("Enter a name.", "This is not an e-mail address.", "Use digits, spaces"):
        assert message in page
    assert in_app(lambda: Contact.query.count()) == 0


def test_edit(login, make, rep, in_app):
    contact = make.contact(make.customer(rep), email="old@example.com")
    client = login(rep)
    assert 'value="old@example.com"' in client.get("/contacts/%d/edit" % contact.id).get_data(as_text=True)
    client.post("/contacts/%d/edit" % contact.id, data={"name": "New", "email": "new@example.com"})
    assert in_app(lambda: Contact.query.one().email) == "new@example.com"


def test_delete_keeps_what_happened(login, make, rep, in_app):
    customer = make.customer(rep)
    contact = make.contact(customer)
    make.activity(customer, contact_id=contact.id)
    client = login(rep)
    assert client.post("/contacts/%d/delete" % contact.id).status_code == 302
    assert in_app(lambda: Contact.query.count()) == 0
    assert in_app(lambda: Activity.query.one().contact_id) is None


def test_others_contacts_are_forbidden(login, make, rep, manager):
    contact = make.contact(make.customer(manager))
    client = login(rep)
    assert client.get("/contacts/%d/edit" % contact.id).status_code == 403
    assert client.post("/contacts/%d/delete" % contact.id).status_code == 403
    assert client.get("/contacts/999/edit").status_code == 404
