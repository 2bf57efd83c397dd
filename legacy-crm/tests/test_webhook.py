"""The inbound webhook: signature, new leads, known companies."""
import json

import pytest

from crm.blueprints.api.webhooks import SIGNATURE_HEADER, signature
from crm.models import Activity, AuditLog, Contact, Customer

LEAD = {"company": "Küche & Co", "name": "Zoë", "email": "zoe@example.com", "phone": "1", "message": "Call me"}


@pytest.fixture
def send(client):
    def post(body, secret="webhook secret", signed=None):
        data = json.dumps(body).encode("utf-8")
        headers = {SIGNATURE_HEADER: signature(secret, data) if signed is None else signed}
        return client.post("/api/v1/webhooks/leads", data=data, content_type="application/json", headers=headers)
    return post


def test_a_new_lead_goes_to_the_manager(csrf, send, rep, manager, in_app):
    answer = send(LEAD)
    assert (answer.status_code, answer.get_json()) == (201, {"customer_id": 1, "created": True})
    customer = in_app(lambda: Customer.query.one())
    assert (customer.name, customer.status, customer.owner_id) == ("Küche & Co", "lead", manager.id)
    assert in_app(lambda: Contact.query.one().email) == "zoe@example.com"
    assert in_app(lambda: Activity.query.one().body) == "Call me"
    assert in_app(lambda: AuditLog.query.one().user_id) is None


def test_a_known_company_gets_a_note(send, make, rep, in_app):
    customer = make.customer(rep, name="KÜCHE & CO")
    make.contact(customer, name="Zoë")
    answer = send(LEAD)
    assert (answer.status_code, answer.get_json()) == (200, {"customer_id": customer.id, "created": False})
    assert in_app(lambda: Contact.query.count()) == 1
    assert in_app(lambda: Activity.query.one().user_id) == rep.id


@pytest.mark.parametrize("signed", ["", "sha256=", "sha256=" + "0" * 64, "ü"])
def test_bad_signatures(send, manager, in_app, signed):
    answer = send(LEAD, signed=signed)
    assert (answer.status_code, answer.get_json()) == (401, {"message": "The signature is missing or wrong."})
    assert in_app(lambda: Customer.query.count()) == 0
    assert send(LEAD, secret="other").status_code == 401


def test_what_can_be_missing(app, send, admin, monkeypatch, in_app):
    assert send({}).status_code == 400
    assert send({"company": "A"}).status_code == 201
    assert in_app(lambda: Customer.query.one().owner_id) == admin.id
    monkeypatch.setitem(app.config, "WEBHOOK_SECRET", None)
    assert send(LEAD).status_code == 503
