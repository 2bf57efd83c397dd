"""Leads from the web site. The body is signed: `X-Webhook-Signature: sha256=<hex of HMAC-SHA256>`."""
import hashlib
import hmac

from flask import current_app, request
from flask_restful import Resource, abort, reqparse

from crm.audit import audit
from crm.blueprints.api import inputs
from crm.extensions import db
from crm.models import Activity, Contact, Customer, User

SIGNATURE_HEADER = "X-Webhook-Signature"

body = reqparse.RequestParser()
body.add_argument("company", type=inputs.required_text(120), required=True, location="json")
body.add_argument("name", type=inputs.text(120), location="json")
body.add_argument("email", type=inputs.text(120), location="json")
body.add_argument("phone", type=inputs.text(40), location="json")
body.add_argument("message", type=inputs.text(5000), location="json")


def signature(secret, data):
    return "sha256=" + hmac.new(secret.encode("utf-8"), data, hashlib.sha256).hexdigest()


def _check_signature():
    secret = current_app.config["WEBHOOK_SECRET"]
    if not secret:
        abort(503, message="Webhooks are not set up.")
    sent = request.headers.get(SIGNATURE_HEADER, "").encode("utf-8", "surrogateescape")
    # cache=True: the parser reads the same body afterwards
    expected = signature(secret, request.get_data(cache=True)).encode("ascii")
    if not hmac.compare_digest(sent, expected):
        abort(401, message="The signature is missing or wrong.")


def _receiver():
    """New leads go to the first active manager, who hands them out."""
    receiver = User.query.filter_by(role="manager", active=True).order_by(User.id).first()
    if receiver is None:
        receiver = User.query.filter_by(role="admin", active=True).order_by(User.id).first()
    if receiver is None:
        abort(503, message="Nobody can take the lead.")
    return receiver


class LeadWebhook(Resource):
    def post(self):
        """201 with a new customer; 200 when a company of that name exists, which then gets the note."""
        _check_signature()
        lead = body.parse_args()
        company = lead["company"].lower()
        customer = Customer.query.filter(db.func.lower(Customer.name) == company).order_by(Customer.id).first()
        known = customer is not None
        if not known:
            customer = Customer(name=lead["company"], status="lead", owner_id=_receiver().id)
            db.session.add(customer)
            db.session.flush()
        self._add_contact(customer, lead)
        db.session.add(Activity(
            customer_id=customer.id, user_id=customer.owner_id, kind="note", subject="Asked on the web site",
            body=lead["message"],
        ))
        audit("lead.received", "customer", customer.id, known=known)
        db.session.commit()
        return {"customer_id": customer.id, "created": not known}, 200 if known else 201

    def _add_contact(self, customer, lead):
        if lead["name"] and lead["name"] not in [contact.name for contact in customer.contacts]:
            db.session.add(Contact(
                customer_id=customer.id, name=lead["name"], email=lead["email"], phone=lead["phone"],
            ))
