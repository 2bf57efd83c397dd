"""Search over customers, contacts and deals by name: ten of each."""
from flask import g
from flask_restful import marshal, reqparse

from crm.blueprints.api import inputs
from crm.blueprints.api.fields import NAMED
from crm.blueprints.api.resources import TokenResource
from crm.models import Contact, Customer, Deal
from crm.search import contains

LIMIT = 10

args_parser = reqparse.RequestParser()
args_parser.add_argument("q", type=inputs.required_text(100), required=True, location="args")


class Search(TokenResource):
    def get(self):
        q = args_parser.parse_args()["q"]
        customers = Customer.visible_to(g.api_user).filter(contains(q, Customer.name, Customer.city))
        contacts = Contact.visible_to(g.api_user).filter(contains(q, Contact.name))
        deals = Deal.visible_to(g.api_user).filter(contains(q, Deal.title))
        return {
            "customers": marshal(customers.order_by(Customer.name, Customer.id).limit(LIMIT).all(), NAMED),
            "contacts": marshal(contacts.order_by(Contact.name, Contact.id).limit(LIMIT).all(), NAMED),
            "deals": [
                {"id": deal.id, "name": deal.title} for deal in deals.order_by(Deal.title, Deal.id).limit(LIMIT)
            ],
        }
