"""What all resources share: the token check, rows that the user may see, and pages of a list."""
from functools import wraps

from flask import g, request
from flask_restful import Resource, abort, marshal, reqparse

from crm.models import ApiToken
from crm.permissions import can_see

MAX_PER_PAGE = 100


def token_required(method):
    """Answer 401 unless the request carries a valid `Authorization: Bearer TOKEN`; set g.api_user."""
    @wraps(method)
    def checked(*args, **kwargs):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = ApiToken.user_for(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            return {"message": "A valid bearer token is required."}, 401, {"WWW-Authenticate": "Bearer"}
        g.api_user = user
        return method(*args, **kwargs)
    return checked


class TokenResource(Resource):
    """A resource for scripts of people who have a token."""

    method_decorators = [token_required]


def list_parser():
    """Arguments that every list takes, all in the query string."""
    parser = reqparse.RequestParser()
    parser.add_argument("page", type=page_number, default=1, location="args")
    parser.add_argument("per_page", type=per_page_number, default=25, location="args")
    return parser


def page_number(text):
    number = int(text)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


def per_page_number(text):
    number = int(text)
    if not 1 <= number <= MAX_PER_PAGE:
        raise ValueError("must be between 1 and %d" % MAX_PER_PAGE)
    return number


def page_of(query, args, fields):
    """One page of a list, as the API writes it. A page behind the last one is empty."""
    pagination = query.paginate(page=args["page"], per_page=args["per_page"], error_out=False)
    return {
        "items": marshal(pagination.items, fields),
        "page": args["page"],
        "per_page": args["per_page"],
        "pages": pagination.pages,
        "total": pagination.total,
    }


def customer_for_api(model, customer_id):
    """The customer, or 404 / 403 in the API's words."""
    customer = model.query.filter_by(id=customer_id).first()
    if customer is None:
        abort(404, message="Customer %d does not exist." % customer_id)
    if not can_see(g.api_user, customer):
        abort(403, message="Customer %d is not yours." % customer_id)
    return customer


def row_for_api(model, row_id):
    """A row that belongs to a customer: contact, deal or activity."""
    row = model.query.filter_by(id=row_id).first()
    if row is None:
        abort(404, message="%s %d does not exist." % (model.__name__, row_id))
    if not can_see(g.api_user, row.customer):
        abort(403, message="%s %d is not yours." % (model.__name__, row_id))
    return row
