"""What happened with a customer (calls, meetings, notes, tasks) and the files that belong to it."""
from crm.clock import utcnow
from crm.extensions import db
from crm.models.customer import Customer

KINDS = ("call", "meeting", "note", "task")


class Activity(db.Model):
    __tablename__ = "activities"

    id = db.Column(db.Integer, primary_key=True)
    customer_id = db.Column(db.Integer, db.ForeignKey("customers.id"), nullable=False)
    contact_id = db.Column(db.Integer, db.ForeignKey("contacts.id"))
    deal_id = db.Column(db.Integer, db.ForeignKey("deals.id"))
    user_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False)
    kind = db.Column(db.String(20), nullable=False)
    subject = db.Column(db.String(160), nullable=False)
    body = db.Column(db.Text)
    due_at = db.Column(db.DateTime)
    done_at = db.Column(db.DateTime)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)
    updated_at = db.Column(db.DateTime, nullable=False, default=utcnow, onupdate=utcnow)

    customer = db.relationship("Customer", back_populates="activities")
    contact = db.relationship("Contact")
    deal = db.relationship("Deal")
    user = db.relationship("User")

    @property
    def is_done(self):
        return self.done_at is not None

    @property
    def is_overdue(self):
        return self.done_at is None and self.due_at is not None and self.due_at < utcnow()

    @classmethod
    def visible_to(cls, user):
        query = cls.query.join(Customer, cls.customer_id == Customer.id)
        if not user.sees_everything:
            query = query.filter(Customer.owner_id == user.id)
        return query


class Attachment(db.Model):
    """A file; its bytes are in UPLOAD_DIR under `stored_name`, never under the name that the browser sent."""

    __tablename__ = "attachments"

    id = db.Column(db.Integer, primary_key=True)
    customer_id = db.Column(db.Integer, db.ForeignKey("customers.id"), nullable=False)
    deal_id = db.Column(db.Integer, db.ForeignKey("deals.id"))
    uploaded_by_id = db.Column(db.Integer, db.ForeignKey("users.id"), nullable=False)
    filename = db.Column(db.String(200), nullable=False)
    stored_name = db.Column(db.String(64), nullable=False, unique=True)
    content_type = db.Column(db.String(100), nullable=False)
    size = db.Column(db.Integer, nullable=False)
    created_at = db.Column(db.DateTime, nullable=False, default=utcnow)

    customer = db.relationship("Customer", back_populates="attachments")
    deal = db.relationship("Deal")
    uploaded_by = db.relationship("User")
