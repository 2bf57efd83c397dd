"""How rows look as JSON: times in ISO 8601 (UTC, without zone), money as text with two places."""
from flask_restful import fields

TIME = fields.DateTime(dt_format="iso8601")
MONEY = fields.Fixed(decimals=2)


class Day(fields.Raw):
    def format(self, value):
        return value.isoformat()


PERSON = {"id": fields.Integer, "name": fields.String}
NAMED = {"id": fields.Integer, "name": fields.String}

CUSTOMER = {
    "id": fields.Integer,
    "name": fields.String,
    "status": fields.String,
    "industry": fields.String,
    "city": fields.String,
    "country": fields.String,
    "website": fields.String,
    "phone": fields.String,
    "annual_revenue": MONEY,
    "notes": fields.String,
    "owner": fields.Nested(PERSON),
    "created_at": TIME,
    "updated_at": TIME,
    "archived_at": TIME,
}

CONTACT = {
    "id": fields.Integer,
    "customer_id": fields.Integer,
    "name": fields.String,
    "title": fields.String,
    "email": fields.String,
    "phone": fields.String,
    "created_at": TIME,
    "updated_at": TIME,
}

# The item also carries its contacts.
CUSTOMER_WITH_CONTACTS = dict(CUSTOMER, contacts=fields.List(fields.Nested(CONTACT)))

DEAL = {
    "id": fields.Integer,
    "title": fields.String,
    "customer": fields.Nested(NAMED),
    "contact_id": fields.Raw,
    "owner": fields.Nested(PERSON),
    "stage": fields.String(attribute="stage.name"),
    "status": fields.String,
    "amount": MONEY,
    "expected_close": Day,
    "closed_at": TIME,
    "lost_reason": fields.String,
    "created_at": TIME,
    "updated_at": TIME,
}

ACTIVITY = {
    "id": fields.Integer,
    "kind": fields.String,
    "subject": fields.String,
    "body": fields.String,
    "customer": fields.Nested(NAMED),
    "contact_id": fields.Raw,
    "deal_id": fields.Raw,
    "user": fields.Nested(PERSON),
    "due_at": TIME,
    "done_at": TIME,
    "created_at": TIME,
    "updated_at": TIME,
}
