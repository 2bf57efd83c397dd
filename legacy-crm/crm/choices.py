"""Deals and activities are made for a customer. When the address does not name one, the user chooses first."""
from flask import render_template, request
from flask_login import current_user

from crm.models import Customer
from crm.permissions import customer_or_abort


def named_customer():
    """The customer of the query string, or None; 404 and 403 as on its own page."""
    customer_id = request.args.get("customer_id", type=int)
    return customer_or_abort(customer_id) if customer_id is not None else None


def ask_for_customer(endpoint, title, **args):
    """A page with all customers that the user may see; it comes back to the endpoint with a customer_id."""
    customers = (
        Customer.visible_to(current_user)
        .filter(Customer.status != "archived")
        .order_by(Customer.name, Customer.id)
        .with_entities(Customer.id, Customer.name, Customer.city)
        .all()
    )
    return render_template("choose_customer.html", customers=customers, endpoint=endpoint, title=title, args=args)
