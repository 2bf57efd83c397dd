"""Makes rows for tests. What it returns is detached: read its columns, use its id, do not walk its relations."""
from datetime import date
from decimal import Decimal

from werkzeug.security import generate_password_hash

from crm.extensions import db
from crm.models import Activity, ApiToken, Attachment, Contact, Customer, Deal, User

PASSWORD = "correct horse"
PASSWORD_HASH = generate_password_hash(PASSWORD, method="pbkdf2:sha256:1000")


class Factory:
    def __init__(self, app):
        self.app = app
        self.count = 0

    def _save(self, row):
        with self.app.app_context():
            db.session.add(row)
            db.session.commit()
            db.session.refresh(row)
            db.session.expunge(row)
            return row

    def _number(self):
        self.count += 1
        return self.count

    def user(self, role="rep", **values):
        number = self._number()
        values.setdefault("email", "user%d@example.com" % number)
        values.setdefault("name", "User %d" % number)
        return self._save(User(role=role, password_hash=PASSWORD_HASH, **values))

    def customer(self, owner, **values):
        values.setdefault("name", "Customer %d" % self._number())
        values.setdefault("status", "active")
        return self._save(Customer(owner_id=owner.id, **values))

    def contact(self, customer, **values):
        values.setdefault("name", "Contact %d" % self._number())
        return self._save(Contact(customer_id=customer.id, **values))

    def deal(self, customer, **values):
        """Stages: 1-4 are open, 5 is won, 6 is lost."""
        values.setdefault("title", "Deal %d" % self._number())
        values.setdefault("amount", Decimal("1000.00"))
        values.setdefault("stage_id", 1)
        values.setdefault("owner_id", customer.owner_id)
        values.setdefault("expected_close", date(2030, 6, 30))
        return self._save(Deal(customer_id=customer.id, **values))

    def activity(self, customer, **values):
        values.setdefault("kind", "call")
        values.setdefault("subject", "Activity %d" % self._number())
        values.setdefault("user_id", customer.owner_id)
        return self._save(Activity(customer_id=customer.id, **values))

    def attachment(self, customer, **values):
        values.setdefault("filename", "file.txt")
        values.setdefault("stored_name", "stored%d" % self._number())
        values.setdefault("content_type", "text/plain")
        values.setdefault("size", 3)
        values.setdefault("uploaded_by_id", customer.owner_id)
        return self._save(Attachment(customer_id=customer.id, **values))

    def token(self, user):
        """An API token as text."""
        row, token = ApiToken.issue(user, "test")
        self._save(row)
        return token
