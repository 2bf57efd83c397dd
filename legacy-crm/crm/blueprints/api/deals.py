"""Deals: list and read."""
from flask import g
from flask_restful import marshal

from crm.blueprints.api import inputs
from crm.blueprints.api.fields import DEAL
from crm.blueprints.api.resources import TokenResource, list_parser, page_of, row_for_api
from crm.models import Deal, DealStage
from crm.models.deal import DEAL_STATUSES

list_args = list_parser()
list_args.add_argument("status", type=inputs.choice(*DEAL_STATUSES), location="args")
list_args.add_argument("customer_id", type=int, location="args")
list_args.add_argument("owner_id", type=int, location="args")


class DealList(TokenResource):
    def get(self):
        args = list_args.parse_args()
        query = Deal.visible_to(g.api_user)
        if args["status"]:
            query = query.join(DealStage, Deal.stage_id == DealStage.id).filter(DealStage.status == args["status"])
        if args["customer_id"] is not None:
            query = query.filter(Deal.customer_id == args["customer_id"])
        if args["owner_id"] is not None:
            query = query.filter(Deal.owner_id == args["owner_id"])
        return page_of(query.order_by(Deal.id), args, DEAL)


class DealItem(TokenResource):
    def get(self, deal_id):
        return marshal(row_for_api(Deal, deal_id), DEAL)
