"""Rows of demo data as tuples, in the order of COLUMNS. The same size and date give the same rows, on every machine.

E-mail and phone of contacts are plain here; load.py encrypts them, with a new random token each time.
"""
import hashlib
import json
import random
from datetime import datetime, time, timedelta
from decimal import Decimal

from crm.models.customer import INDUSTRIES
from crm.seed import names

SEED = 20200317
SIZES = {
    "small": {"customers": 60, "contacts": 150, "deals": 300, "activities": 1200},
    "large": {"customers": 2000, "contacts": 5000, "deals": 20000, "activities": 100000},
}
YEARS_BACK = 4
OPEN_STAGES, WON, LOST = (1, 2, 3, 4), 5, 6

COLUMNS = {
    "users": "id email name password_hash role active created_at last_login_at",
    "customers": "id name industry status city country website phone annual_revenue notes owner_id created_at"
                 " updated_at archived_at",
    "contacts": "id customer_id name title email phone created_at updated_at",
    "deals": "id customer_id contact_id owner_id stage_id title amount expected_close closed_at lost_reason created_at"
             " updated_at",
    "activities": "id customer_id contact_id deal_id user_id kind subject body due_at done_at created_at updated_at",
    "audit_log": "id user_id action entity entity_id detail ip created_at",
}


def password_hash(password):
    """A hash with a fixed salt, so that seeding is repeatable. For demo data only."""
    salt = "demodemo"
    digest = hashlib.pbkdf2_hmac("sha256", password.encode("utf-8"), salt.encode("utf-8"), 150000)
    return "pbkdf2:sha256:150000$%s$%s" % (salt, digest.hex())


class Generator:
    """Call the methods in the order of rows(): later ones refer to what earlier ones made."""

    def __init__(self, size, today):
        self.counts = SIZES[size]
        self.random = random.Random(SEED)
        self.now = datetime.combine(today, time(12, 0))
        self.start = self.now - timedelta(days=365 * YEARS_BACK)
        self.customer_owner = {}
        self.customer_since = {}
        self.contacts_of = {}
        self.deals_of = {}

    def rows(self):
        """(table, list of tuples) in an order that respects the foreign keys."""
        yield "users", list(self.users())
        customers = list(self.customers())
        yield "customers", customers
        yield "contacts", list(self.contacts())
        yield "deals", list(self.deals())
        yield "activities", list(self.activities())
        yield "audit_log", list(self.audit_log(customers))

    def moment(self, start, end):
        """A moment in office hours, never after `end`."""
        seconds = self.random.randrange(max(1, int((end - start).total_seconds())))
        moment = start + timedelta(seconds=seconds)
        return min(moment.replace(hour=8 + moment.hour % 10), end)

    def maybe(self, probability, value):
        return value if self.random.random() < probability else None

    def phone(self):
        return "+%d %d %03d %02d %02d" % (
            self.random.choice((31, 33, 34, 41, 45, 46, 49, 351, 420)), self.random.randrange(20, 99),
            self.random.randrange(1000), self.random.randrange(100), self.random.randrange(100),
        )

    def users(self):
        hashed = password_hash("demo")
        for number, (email, name, role) in enumerate(names.USERS, 1):
            yield number, email, name, hashed, role, True, self.start, None

    def company(self, industry, taken):
        while True:
            name = self.random.choice(names.COMPANY_PATTERNS).format(
                a=self.random.choice(names.LAST_NAMES), b=self.random.choice(names.LAST_NAMES),
                t=self.random.choice(names.TRADES[industry]), l=self.random.choice(names.LEGAL),
                c=self.random.choice(names.CITIES)[0],
            )
            if name not in taken:
                taken.add(name)
                return name

    def customers(self):
        reps = [number for number, user in enumerate(names.USERS, 1) if user[2] == "rep"]
        taken = set()
        for number in range(1, self.counts["customers"] + 1):
            industry = self.random.choice(INDUSTRIES)
            name = self.company(industry, taken)
            city, country = self.random.choice(names.CITIES)
            status = self.random.choices(("lead", "active", "inactive", "archived"), (25, 55, 13, 7))[0]
            owner = self.random.choice(reps) if self.random.random() < 0.95 else 2
            since = self.moment(self.start, self.now - timedelta(days=20))
            changed = self.moment(since, self.now)
            slug = "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
            self.customer_owner[number] = owner
            self.customer_since[number] = since
            yield (
                number, name, self.maybe(0.95, industry), status, city, country,
                self.maybe(0.8, "https://www.%s.example/" % (slug or "firm")), self.maybe(0.85, self.phone()),
                self.maybe(0.8, Decimal(self.random.randrange(50, 90000)) * 1000 + Decimal("0.50") * (number % 3)),
                self.maybe(0.3, self.random.choice(names.NOTES)), owner, since, changed,
                changed if status == "archived" else None,
            )

    def contacts(self):
        for number in range(1, self.counts["contacts"] + 1):
            # every customer gets one, the rest go anywhere
            customer = number if number <= self.counts["customers"] else self.random.randrange(self.counts["customers"]) + 1
            first, last = self.random.choice(names.FIRST_NAMES), self.random.choice(names.LAST_NAMES)
            since = self.moment(self.customer_since[customer], self.now)
            self.contacts_of.setdefault(customer, []).append(number)
            yield (
                number, customer, "%s %s" % (first, last), self.random.choice(names.TITLES) or None,
                self.maybe(0.95, "contact%d@customer%d.example.com" % (number, customer)), self.maybe(0.7, self.phone()),
                since, since,
            )

    def amount(self):
        """Many small deals and a few large ones."""
        return Decimal(int(100 * min(250000, self.random.lognormvariate(8.8, 1.1)))) / 100

    def deals(self):
        for number in range(1, self.counts["deals"] + 1):
            customer = self.random.randrange(self.counts["customers"]) + 1
            created = self.moment(self.customer_since[customer], self.now)
            age = (self.now - created).days
            stage = self.random.choice(OPEN_STAGES)
            closed = reason = None
            if age > 150 or self.random.random() < age / 300.0:
                stage = self.random.choices((WON, LOST), (55, 45))[0]
                closed = self.moment(created, min(self.now, created + timedelta(days=140)))
                reason = self.random.choice(names.LOST_REASONS) if stage == LOST else None
            title = self.random.choice(names.DEAL_SUBJECTS)
            if self.random.random() < 0.4:
                title = "%s %d" % (title, created.year)
            self.deals_of.setdefault(customer, []).append(number)
            yield (
                number, customer, self.maybe(0.7, self.random.choice(self.contacts_of[customer])),
                self.customer_owner[customer], stage, title, self.amount(),
                created.date() + timedelta(days=self.random.randrange(20, 200)), closed, reason, created,
                closed or created,
            )

    def activities(self):
        kinds = ("call", "meeting", "note", "task")
        for number in range(1, self.counts["activities"] + 1):
            customer = self.random.randrange(self.counts["customers"]) + 1
            kind = self.random.choices(kinds, (40, 20, 20, 20))[0]
            created = self.moment(self.customer_since[customer], self.now)
            due = done = None
            if kind != "note":
                due = created + timedelta(days=self.random.randrange(1, 30), hours=self.random.randrange(3))
                recent = due > self.now - timedelta(days=10)
                if not recent or self.random.random() < 0.3:
                    done = self.moment(created, min(due, self.now))
                if self.random.random() < 0.002:
                    done = None
            deals = self.deals_of.get(customer)
            yield (
                number, customer, self.maybe(0.5, self.random.choice(self.contacts_of[customer])),
                self.maybe(0.5, self.random.choice(deals)) if deals else None, self.customer_owner[customer], kind,
                self.random.choice(names.SUBJECTS[kind]), self.maybe(0.6, self.random.choice(names.BODIES)), due, done,
                created, done or created,
            )

    def audit_log(self, customers):
        for number, customer in enumerate(sorted(customers, key=lambda row: (row[11], row[0])), 1):
            detail = json.dumps({"name": customer[1]}, sort_keys=True)
            yield number, customer[10], "customer.create", "customer", customer[0], detail, "192.0.2.10", customer[11]
