"""The API, version 1, on Flask-RESTful: bearer tokens instead of sessions, and therefore no CSRF tokens."""
from flask import Blueprint
from flask_restful import Api

from crm.extensions import csrf

bp = Blueprint("api", __name__, url_prefix="/api/v1")
csrf.exempt(bp)
api = Api(bp)

from crm.blueprints.api import activities, contacts, customers, deals, lookup, webhooks  # noqa: E402

api.add_resource(customers.CustomerList, "/customers", endpoint="customers")
api.add_resource(customers.CustomerItem, "/customers/<int:customer_id>", endpoint="customer")
api.add_resource(contacts.ContactList, "/contacts", endpoint="contacts")
api.add_resource(contacts.ContactItem, "/contacts/<int:contact_id>", endpoint="contact")
api.add_resource(deals.DealList, "/deals", endpoint="deals")
api.add_resource(deals.DealItem, "/deals/<int:deal_id>", endpoint="deal")
api.add_resource(activities.ActivityList, "/activities", endpoint="activities")
api.add_resource(activities.ActivityItem, "/activities/<int:activity_id>", endpoint="activity")
api.add_resource(lookup.Search, "/search", endpoint="search")
api.add_resource(webhooks.LeadWebhook, "/webhooks/leads", endpoint="lead_webhook")
