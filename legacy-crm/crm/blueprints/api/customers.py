"""Customers: list, create, read, replace, change, archive."""
from flask import Response, g, url_for
from flask_restful import abort, marshal, reqparse

from crm.audit import audit
from crm.blueprints.api import inputs
from crm.blueprints.api.fields import CUSTOMER, CUSTOMER_WITH_CONTACTS
from crm.blueprints.api.resources import TokenResource, customer_for_api, list_parser, page_of
from crm.extensions import db
from crm.models import Customer, User
from crm.models.customer import INDUSTRIES, STATUSES
from crm.search import contains

list_args = list_parser()
list_args.add_argument("q", type=str, location="args")
list_args.add_argument("status", type=inputs.choice(*STATUSES), location="args")
list_args.add_argument("industry", type=str, location="args")
list_args.add_argument("owner_id", type=int, location="args")

COLUMNS = {
    "status": inputs.choice(*[status for status in STATUSES if status != "archived"]),
    "industry": inputs.choice(*INDUSTRIES),
    "city": inputs.text(80),
    "country": inputs.text(80),
    "website": inputs.website,
    "phone": inputs.text(40),
    "annual_revenue": inputs.amount,
    "notes": inputs.text(5000),
    "owner_id": inputs.whole_number,
}


def _body_parser(name_required):
    parser = reqparse.RequestParser()
    parser.add_argument("name", type=inputs.required_text(120), required=name_required, location="json",
                        store_missing=False)
    for column, convert in COLUMNS.items():
        parser.add_argument(column, type=convert, location="json", store_missing=False)
    return parser


whole_body = _body_parser(name_required=True)
partial_body = _body_parser(name_required=False)


def _check_owner(values):
    """Reps own what they make; managers may name any active person."""
    owner_id = values.get("owner_id")
    if owner_id is None or owner_id == g.api_user.id:
        return
    if not g.api_user.sees_everything:
        abort(403, message="Only managers may choose another owner.")
    if User.query.filter_by(id=owner_id, active=True).first() is None:
        abort(400, message={"owner_id": "no active person has this id"})


def _save(customer, values):
    for column, value in values.items():
        setattr(customer, column, value)


class CustomerList(TokenResource):
    def get(self):
        args = list_args.parse_args()
        query = Customer.visible_to(g.api_user)
        if args["q"]:
            query = query.filter(contains(args["q"], Customer.name, Customer.city, Customer.website))
        if args["status"]:
            query = query.filter(Customer.status == args["status"])
        if args["industry"]:
            query = query.filter(Customer.industry == args["industry"])
        if args["owner_id"] is not None:
            query = query.filter(Customer.owner_id == args["owner_id"])
        return page_of(query.order_by(Customer.id), args, CUSTOMER)

    def post(self):
        values = whole_body.parse_args()
        _check_owner(values)
        customer = Customer(owner_id=g.api_user.id, status="lead")
        _save(customer, {column: value for column, value in values.items() if value is not None})
        db.session.add(customer)
        db.session.flush()
        audit("customer.create", "customer", customer.id, name=customer.name)
        db.session.commit()
        location = url_for("api.customer", customer_id=customer.id)
        return marshal(customer, CUSTOMER_WITH_CONTACTS), 201, {"Location": location}


class CustomerItem(TokenResource):
    def get(self, customer_id):
        return marshal(customer_for_api(Customer, customer_id), CUSTOMER_WITH_CONTACTS)

    def put(self, customer_id):
        """Replace: what is not given becomes empty, but status and owner stay."""
        customer = customer_for_api(Customer, customer_id)
        given = whole_body.parse_args()
        values = {column: None for column in COLUMNS if column not in ("status", "owner_id")}
        values.update({column: value for column, value in given.items() if column in values or value is not None})
        return self._change(customer, values)

    def patch(self, customer_id):
        customer = customer_for_api(Customer, customer_id)
        given = partial_body.parse_args()
        kept = ("name", "status", "owner_id")
        return self._change(customer, {c: v for c, v in given.items() if v is not None or c not in kept})

    def delete(self, customer_id):
        customer = customer_for_api(Customer, customer_id)
        if not customer.is_archived:
            customer.archive()
            audit("customer.archive", "customer", customer.id, name=customer.name)
            db.session.commit()
        return Response(status=204)

    def _change(self, customer, values):
        _check_owner(values)
        _save(customer, values)
        if customer.status != "archived":
            customer.archived_at = None
        audit("customer.edit", "customer", customer.id, name=customer.name)
        db.session.commit()
        return marshal(customer, CUSTOMER_WITH_CONTACTS)
