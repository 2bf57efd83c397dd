"""Activities: list, create, read, and mark as done or not done."""
from flask import g
from flask_restful import inputs as restful_inputs
from flask_restful import marshal, reqparse

from crm.audit import audit
from crm.blueprints.api import inputs
from crm.blueprints.api.fields import ACTIVITY
from crm.blueprints.api.resources import TokenResource, customer_for_api, list_parser, page_of, row_for_api
from crm.clock import utcnow
from crm.extensions import db
from crm.models import Activity, Customer
from crm.models.activity import KINDS

list_args = list_parser()
list_args.add_argument("kind", type=inputs.choice(*KINDS), location="args")
list_args.add_argument("customer_id", type=int, location="args")
list_args.add_argument("deal_id", type=int, location="args")
list_args.add_argument("done", type=restful_inputs.boolean, location="args")

body = reqparse.RequestParser()
body.add_argument("customer_id", type=inputs.whole_number, required=True, location="json")
body.add_argument("kind", type=inputs.choice(*KINDS), required=True, location="json")
body.add_argument("subject", type=inputs.required_text(160), required=True, location="json")
body.add_argument("body", type=inputs.text(5000), location="json")
body.add_argument("due_at", type=inputs.time, location="json")

done_body = reqparse.RequestParser()
done_body.add_argument("done", type=restful_inputs.boolean, required=True, location="json")


class ActivityList(TokenResource):
    def get(self):
        args = list_args.parse_args()
        query = Activity.visible_to(g.api_user)
        if args["kind"]:
            query = query.filter(Activity.kind == args["kind"])
        for column in ("customer_id", "deal_id"):
            if args[column] is not None:
                query = query.filter(getattr(Activity, column) == args[column])
        if args["done"] is not None:
            query = query.filter(Activity.done_at.isnot(None) if args["done"] else Activity.done_at.is_(None))
        return page_of(query.order_by(Activity.id), args, ACTIVITY)

    def post(self):
        values = body.parse_args()
        customer_for_api(Customer, values["customer_id"])
        activity = Activity(user_id=g.api_user.id, **values)
        db.session.add(activity)
        db.session.flush()
        audit("activity.create", "activity", activity.id, customer_id=activity.customer_id)
        db.session.commit()
        return marshal(activity, ACTIVITY), 201


class ActivityItem(TokenResource):
    def get(self, activity_id):
        return marshal(row_for_api(Activity, activity_id), ACTIVITY)

    def patch(self, activity_id):
        activity = row_for_api(Activity, activity_id)
        done = done_body.parse_args()["done"]
        activity.done_at = (activity.done_at or utcnow()) if done else None
        audit("activity.done" if done else "activity.reopen", "activity", activity.id)
        db.session.commit()
        return marshal(activity, ACTIVITY)
