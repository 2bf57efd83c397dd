"""The list of customers: filters and order, from the query string."""
from crm.models import Customer
from crm.models.customer import STATUSES
from crm.search import contains

SORTS = {
    "name": Customer.name,
    "status": Customer.status,
    "city": Customer.city,
    "revenue": Customer.annual_revenue,
    "created": Customer.created_at,
}


class ListFilter:
    """What the list shows. Values that make no sense count as not given."""

    def __init__(self, args):
        self.q = args.get("q", "").strip()
        self.status = args.get("status", "") if args.get("status") in STATUSES else ""
        self.owner_id = args.get("owner", type=int)
        self.industry = args.get("industry", "")
        self.sort = args.get("sort") if args.get("sort") in SORTS else "name"
        self.direction = "desc" if args.get("dir") == "desc" else "asc"

    def apply(self, query):
        if self.q:
            query = query.filter(contains(self.q, Customer.name, Customer.city, Customer.website))
        if self.status:
            query = query.filter(Customer.status == self.status)
        else:
            query = query.filter(Customer.status != "archived")
        if self.owner_id is not None:
            query = query.filter(Customer.owner_id == self.owner_id)
        if self.industry:
            query = query.filter(Customer.industry == self.industry)
        column = SORTS[self.sort]
        if self.direction == "desc":
            return query.order_by(column.desc(), Customer.id.desc())
        return query.order_by(column.asc(), Customer.id.asc())

    def filters(self):
        """The query parameters of the filters alone, for links that change the order."""
        values = (("q", self.q), ("status", self.status), ("owner", self.owner_id), ("industry", self.industry))
        return {name: value for name, value in values if value not in ("", None)}

    def args(self):
        """All query parameters but the page, for links to other pages."""
        args = self.filters()
        if self.sort != "name" or self.direction != "asc":
            args.update(sort=self.sort, dir=self.direction)
        return args
