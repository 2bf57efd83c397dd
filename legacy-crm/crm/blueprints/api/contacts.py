"""Contacts: list, create, read. E-mail and phone are decrypted for those who may see the customer."""
from flask import g
from flask_restful import marshal, reqparse

from crm.audit import audit
from crm.blueprints.api import inputs
from crm.blueprints.api.fields import CONTACT
from crm.blueprints.api.resources import TokenResource, customer_for_api, list_parser, page_of, row_for_api
from crm.extensions import db
from crm.models import Contact, Customer
from crm.search import contains

list_args = list_parser()
list_args.add_argument("q", type=str, location="args")
list_args.add_argument("customer_id", type=int, location="args")

body = reqparse.RequestParser()
body.add_argument("customer_id", type=inputs.whole_number, required=True, location="json")
body.add_argument("name", type=inputs.required_text(120), required=True, location="json")
body.add_argument("title", type=inputs.text(80), location="json")
body.add_argument("email", type=inputs.text(120), location="json")
body.add_argument("phone", type=inputs.text(40), location="json")


class ContactList(TokenResource):
    def get(self):
        args = list_args.parse_args()
        query = Contact.visible_to(g.api_user)
        if args["q"]:
            query = query.filter(contains(args["q"], Contact.name, Contact.title))
        if args["customer_id"] is not None:
            query = query.filter(Contact.customer_id == args["customer_id"])
        return page_of(query.order_by(Contact.id), args, CONTACT)

    def post(self):
        values = body.parse_args()
        customer = customer_for_api(Customer, values["customer_id"])
        contact = Contact(**values)
        db.session.add(contact)
        db.session.flush()
        audit("contact.create", "contact", contact.id, customer_id=customer.id)
        db.session.commit()
        return marshal(contact, CONTACT), 201


class ContactItem(TokenResource):
    def get(self, contact_id):
        return marshal(row_for_api(Contact, contact_id), CONTACT)
